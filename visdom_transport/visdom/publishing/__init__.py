"""What publishers post: each endpoint, exactly once or as Visdom's own requests."""
