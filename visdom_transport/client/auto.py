"""Imported before ``from visdom import Visdom``, this lets an existing script publish in the background."""

from visdom_transport.client.publisher import background

background()
