"""Which rules hold is found out from what a Visdom has."""

from __future__ import annotations

from importlib.metadata import version
from types import SimpleNamespace

from updates_oracle import Stock

from visdom_transport.visdom.updates import M23, V0_2_4, V0_3_0, rules_for


def test_by_features() -> None:
    old, new = object(), SimpleNamespace(update_embeddings_packet=None)
    assert rules_for(old, SimpleNamespace(hash_md_window=None)) == V0_2_4
    assert rules_for(old, SimpleNamespace()) == M23
    assert rules_for(new, SimpleNamespace()) == V0_3_0


def test_the_applications_own_bounds_count() -> None:
    app = SimpleNamespace(max_text_lines=7, max_image_history=8, max_old_content=9)
    bounds = rules_for(SimpleNamespace(update_embeddings_packet=None), SimpleNamespace(), app).bounds
    assert bounds == {"text": 7, "image_history": 8, "plot_history": None, "embeddings": 9}


def test_the_installed_visdom(stock: Stock) -> None:
    assert stock.rules == {"0.2.4": V0_2_4, "0.3.0": V0_3_0}[version("visdom")]
