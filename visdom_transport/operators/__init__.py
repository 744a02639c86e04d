"""What the person who runs a server is told of it, by origins and relays alike."""
