"""Visdom's state, observed: environments, what changes in them, the values of feeds, and commands."""
