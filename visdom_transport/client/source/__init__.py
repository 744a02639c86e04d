"""The event stream of a `visdom.Visdom`, a source in docs/protocol.md: its links, and how it finds its way back."""
