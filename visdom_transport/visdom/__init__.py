"""Everything that knows Visdom's internals."""
