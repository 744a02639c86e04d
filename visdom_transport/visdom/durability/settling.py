"""Large new values and Python's collector of garbage, which has everything wait while it looks at all that is new."""

from __future__ import annotations

import gc


def settle() -> None:
    """Have what is new taken for old, while it is little. After 160 MB of numbers in lists that takes 150 to 200 ms at once."""
    if gc.isenabled():
        gc.collect(1)
