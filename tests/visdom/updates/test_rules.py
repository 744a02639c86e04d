"""Each Visdom has its rules."""

from __future__ import annotations

from importlib.metadata import version
from types import SimpleNamespace

from tests.visdom.updates.oracle import Stock
from visdom_transport.visdom import flavour
from visdom_transport.visdom.updates import M23, V0_2_4, V0_3_0, rules_for


def test_every_known_visdom_has_rules() -> None:
    assert [rules_for(visdom) for visdom in flavour.KNOWN] == [V0_2_4, M23, V0_3_0]


def test_the_applications_own_bounds_count() -> None:
    app = SimpleNamespace(max_text_lines=7, max_image_history=8, max_old_content=9)
    bounds = rules_for("0.3.0", app).bounds
    assert bounds == {"text": 7, "image_history": 8, "plot_history": None, "embeddings": 9}


def test_the_installed_visdom(stock: Stock) -> None:
    assert stock.rules == {"0.2.4": V0_2_4, "0.3.0": V0_3_0}[version("visdom")]
