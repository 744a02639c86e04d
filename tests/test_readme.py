"""README, CONTRIBUTING and the docs: links lead somewhere, and the pictures are what the README needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_PAGES = sorted([*_ROOT.glob("*.md"), *(_ROOT / "docs").glob("*.md"), *(_ROOT / "patches").glob("*.md")])
_PICTURES_BYTES = 300_000


def _links(page: Path) -> list[str]:
    """What the page links to within the repository, without the part behind #."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    return [link.split("#")[0] for link in found if not re.match(r"[a-z]+:|#", link)]


def _headings(page: Path) -> set[str]:
    """The names by which a page's sections can be linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.relative_to(_ROOT).as_posix())
def test_links_lead_to_files_and_sections_that_exist(page: Path) -> None:
    assert [link for link in _links(page) if not (page.parent / link).exists()] == []
    for link in re.findall(r"\]\(([^):\s]*#[^)\s]+)\)", page.read_text("utf-8")):
        path, section = link.split("#")
        assert section in _headings(page.parent / path if path else page), link


def _pictures(page: Path) -> set[Path]:
    return {(page.parent / link).resolve() for link in _links(page) if link.endswith(".png")}


def test_the_readme_shows_two_pictures_and_they_are_small() -> None:
    pictures = _pictures(_ROOT / "README.md")
    assert {picture.name for picture in pictures} == {"dashboard.png", "outage.png"}
    assert sum(picture.stat().st_size for picture in pictures) <= _PICTURES_BYTES


def test_each_picture_is_shown_somewhere() -> None:
    shown = set().union(*map(_pictures, _PAGES))
    assert shown == set((_ROOT / "docs" / "pictures").glob("*.png"))
