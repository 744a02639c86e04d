"""What counts as a difference of two pictures."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageDraw

from tests.support.pictures import Picture

SIZE = 300
SMOOTH = 4


def drawn(points: list[tuple[float, float]]) -> Picture:
    """A line of two pixels with smooth edges."""
    large = Image.new("RGB", (SIZE * SMOOTH, SIZE * SMOOTH), "white")
    ImageDraw.Draw(large).line([(x * SMOOTH, y * SMOOTH) for x, y in points], fill="blue", width=2 * SMOOTH)
    return Picture(large.resize((SIZE, SIZE), Image.Resampling.BOX))


def zigzag(shift: float = 0.0) -> list[tuple[float, float]]:
    return [(x + shift, 100 + 30 * (x // 5 % 2)) for x in range(0, SIZE, 5)]


def test_a_shift_of_a_part_of_a_pixel_is_none() -> None:
    assert drawn(zigzag()).differing(drawn(zigzag(0.4))) == 0


def test_a_shift_of_two_pixels_is_one() -> None:
    assert drawn(zigzag()).differing(drawn(zigzag(2))) > 100


def test_a_missing_peak_is_one() -> None:
    without = [(0.0, 150.0), (150.0, 150.0), (299.0, 150.0)]
    peak = [*without[:2], (150.5, 120.0), (151.0, 150.0), without[2]]
    assert drawn(peak).differing(drawn(without)) > 15


def test_a_gap_that_is_closed_is_one() -> None:
    left, right = [(0.0, 150.0), (100.0, 150.0)], [(109.0, 150.0), (299.0, 150.0)]
    gapped = Picture(ImageChops.darker(drawn(left).image, drawn(right).image))
    assert gapped.differing(drawn(left + right)) > 10
