"""Stands in for Matplotlib, which trixi imports and does not use here."""

from hollow import module

__path__: list[str] = []

module("matplotlib.cm", "jet")
module("matplotlib.pyplot")
