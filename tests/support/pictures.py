"""What plots look like: pictures of them, and whether two pictures differ in more than how edges are smoothed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from tests.support.browser import Tab

AREA = """
const graph = document.querySelector('.js-plotly-plot');
const { top, left } = graph.getBoundingClientRect();
const { l, t, w, h } = graph._fullLayout._size;
return [left + l, top + t, left + l + w, top + t + h];
"""
EDGE = 96
"""Of 255. A pixel at the edge of a line is one of the shades between the line's and the background's."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The inside of the axes of the one plot of a page."""

    image: Image.Image

    @classmethod
    def of(cls, tab: Tab) -> Picture:
        area = tab.js(AREA)
        page = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
        return cls(page.crop(tuple(round(side) for side in area)))

    def differing(self, other: Picture) -> int:
        """How many pixels of one are none of the shades that the other has there or next to it.

        Lines that are drawn along almost the same way have their edges in the same pixels or in the next ones: parts of a pixel
        decide which, and in which shade. A missing peak, a closed gap or a shifted line is another matter.
        """
        assert self.image.size == other.image.size, f"{self.image.size}, {other.image.size}"
        return int(np.count_nonzero(self._outside(other) | other._outside(self)))

    def _outside(self, other: Picture) -> npt.NDArray[np.bool_]:
        own = np.asarray(self.image).astype(int)
        least = np.asarray(other.image.filter(ImageFilter.MinFilter(3))).astype(int)
        greatest = np.asarray(other.image.filter(ImageFilter.MaxFilter(3))).astype(int)
        outside: npt.NDArray[np.bool_] = np.any((own < least - EDGE) | (own > greatest + EDGE), axis=2)
        return outside

    @property
    def pixels(self) -> int:
        return self.image.size[0] * self.image.size[1]

    @property
    def inked(self) -> int:
        """How many pixels are not of the background."""
        return int(np.count_nonzero((np.asarray(self.image) < 200).any(axis=2)))

    def save(self, path: Path) -> None:
        self.image.save(path)
