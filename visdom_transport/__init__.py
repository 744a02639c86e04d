"""A realtime transport for Visdom. Importing this package imports nothing else: every interpreter start does it."""

__version__ = "0.1.0"
