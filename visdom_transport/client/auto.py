"""Imported before ``from visdom import Visdom``, this lets an existing script publish in the background."""

from .publisher import background

background()
