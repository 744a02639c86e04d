"""What subscribers are served: routes, sockets, polls, and the end of a server."""
