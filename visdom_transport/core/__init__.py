"""Feeds, deltas, conflation and sessions: the transport without any I/O.

Nothing in this package opens a socket, reads a clock, logs, or knows Visdom. Methods that depend on time take ``now``, a
monotonic time in seconds.
"""
