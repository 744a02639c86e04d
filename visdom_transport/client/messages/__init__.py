"""What Visdom's calls become, and how they are held until a server has them. No threads, no sockets, no clock."""
