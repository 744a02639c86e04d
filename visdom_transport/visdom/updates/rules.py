"""Where Visdom's versions differ in what an update does, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Rules:
    """What one Visdom version does with an update. ``None`` as a number means no bound."""

    counts_versions: bool
    """An update of a plot adds one to ``version``."""
    caption_in_content: bool
    """``opts.caption`` goes to ``content.caption``."""
    legend_by_name: bool
    """With a ``name``, ``opts.legend`` renames the traces of that name only."""
    third_axis: bool
    """``z`` of a scatter3d trace is updated too."""
    skips_infinite: bool
    """A trace whose new x values are all infinite is skipped, not only one whose values are all null or NaN."""
    bounds: Mapping[str, int | None]
    """The kinds of window, other than plots, that can be updated, and how much of its past Visdom itself keeps."""
    trace_types: frozenset[str]
    """A plot can be updated when its first trace is one of these."""
    refusal_kinds: tuple[str, ...]
    """What the refusal of another plot lists."""


V0_2_4 = Rules(
    counts_versions=False,
    caption_in_content=False,
    legend_by_name=False,
    third_axis=False,
    skips_infinite=False,
    bounds=MappingProxyType({"text": None, "image_history": None, "embeddings": None}),
    trace_types=frozenset({"scatter", "scattergl", "custom", "heatmap"}),
    refusal_kinds=("scatter", "heatmap", "custom", "image_history", "embeddings", "text"),
)

M23 = replace(V0_2_4, counts_versions=True)
"""The unreleased master of July 2023."""

V0_3_0 = Rules(
    counts_versions=True,
    caption_in_content=True,
    legend_by_name=True,
    third_axis=True,
    skips_infinite=True,
    bounds=MappingProxyType({"text": 500, "image_history": 4, "plot_history": None, "embeddings": 50}),
    trace_types=V0_2_4.trace_types | {"scatter3d"},
    refusal_kinds=("scatter", "heatmap", "custom", "image_history", "plot_history", "embeddings", "text"),
)


RULES = {"0.2.4": V0_2_4, "m23": M23, "0.3.0": V0_3_0}


def rules_for(visdom: str, app: object = None) -> Rules:
    """The rules of a known Visdom. If there is an application, its own bounds (``max_text_lines`` and its like) count."""
    rules = RULES[visdom]
    if rules is not V0_3_0:
        return rules
    names = {"text": "max_text_lines", "image_history": "max_image_history", "embeddings": "max_old_content"}
    bounds = {kind: getattr(app, names.get(kind, ""), own) for kind, own in V0_3_0.bounds.items()}
    return replace(V0_3_0, bounds=MappingProxyType(bounds))
