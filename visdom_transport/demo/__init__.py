"""`python -m visdom_transport demo`: a model that learns while you watch, as any program of yours would show it.

Nothing here knows the transport: `dashboard` draws with Visdom's own client, the server is `python -m visdom.server`.
"""

from visdom_transport.demo.command import main

__all__ = ["main"]
