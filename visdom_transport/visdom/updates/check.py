"""Taking values out of a request, with an error that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visdom_transport.visdom.updates.errors import refuse


def first_entry(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``data[0]``."""
    return entry(args.get("data"), 0)


def entry(data: object, n: int) -> dict[str, Any]:
    """Return ``data[n]``, which must be an object."""
    if not isinstance(data, list):
        refuse("data", "must be an array of objects")
    if n >= len(data):
        refuse("data", f"must have at least {n + 1} entries, not {len(data)}")
    item = data[n]
    if not isinstance(item, dict):
        refuse(f"data[{n}]", "must be an object")
    return item


def member(item: Mapping[str, Any], key: str, field: str) -> Any:
    """Return a member that must be there; ``field`` names ``item``."""
    if key not in item:
        refuse(f"{field}.{key}", "is missing")
    return item[key]


def array(item: Mapping[str, Any], key: str, field: str) -> list[Any]:
    """Return a member that must be an array; ``field`` names ``item``."""
    value = member(item, key, field)
    if not isinstance(value, list):
        refuse(f"{field}.{key}", f"must be an array, not {value!r:.80}")
    return value


def optional_object(args: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a member of the request that is an object; null and absent are empty."""
    value = args.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        refuse(key, f"must be an object, not {value!r:.80}")
    return value


def index(item: Mapping[str, Any], key: str, field: str) -> int:
    """Return a member that must be a whole number; ``field`` names ``item``."""
    value = member(item, key, field)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(f"{field}.{key}", f"must be an integer, not {value!r:.80}")
    return value
