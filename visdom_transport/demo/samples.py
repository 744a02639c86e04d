"""A picture of some held-out digits, each with the network's guess beside it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from visdom_transport.demo.training import Array, Digits

COLUMNS, ROWS = 4, 5
DIGIT_PIXELS = 64
CELL = (DIGIT_PIXELS + 40, DIGIT_PIXELS + 24)
RIGHT, WRONG = "#2ca02c", "#d62728"


def picture(digits: Digits, predictions: Array, seed: int) -> Array:
    """Colours as Visdom's client takes them, 3 x height x width of bytes. `seed` chooses the digits."""
    chosen = np.random.default_rng(seed).choice(len(digits.test_x), COLUMNS * ROWS, replace=False)
    font = ImageFont.load_default(size=28)
    sheet = Image.new("RGB", (CELL[0] * COLUMNS, CELL[1] * ROWS), "white")
    draw = ImageDraw.Draw(sheet)
    for place, index in enumerate(chosen):
        left, top = place % COLUMNS * CELL[0] + 4, place // COLUMNS * CELL[1] + 10
        pixels = np.uint8(255 * (1 - digits.test_x[index].reshape(8, 8)))
        sheet.paste(Image.fromarray(pixels).resize((DIGIT_PIXELS, DIGIT_PIXELS)), (left, top))
        color = RIGHT if predictions[index] == digits.test_y[index] else WRONG
        draw.rectangle((left, top, left + DIGIT_PIXELS, top + DIGIT_PIXELS), outline=color, width=2)
        draw.text((left + DIGIT_PIXELS + 8, top + 16), str(predictions[index]), fill=color, font=font)
    return np.asarray(sheet).transpose(2, 0, 1)
