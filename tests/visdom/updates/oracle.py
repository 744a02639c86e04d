"""Stock Visdom as the oracle, and a second, simpler reading of the delta operations."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from visdom_transport.visdom import flavour
from visdom_transport.visdom.updates import Rules, rules_for


def apply_reference(value: Any, operations: list[list[Any]]) -> Any:
    """Apply operations as docs/protocol.md words them, without regard to cost."""
    top = [copy.deepcopy(value)]
    for name, path, *arguments in operations:
        steps = [0, *path]
        parent: Any = top
        for step in steps[:-1]:
            parent = parent[step]
        last = steps[-1]
        if name == "set":
            parent[last] = copy.deepcopy(arguments[0])
        elif name == "delete":
            del parent[last]
        elif name == "extend":
            assert isinstance(parent[last], list)
            parent[last] = parent[last] + copy.deepcopy(arguments[0])
        elif name == "drop":
            assert 0 <= arguments[0] <= len(parent[last])
            parent[last] = parent[last][arguments[0] :]
        elif name == "append":
            assert isinstance(parent[last], str)
            parent[last] = parent[last] + arguments[0]
        elif name == "insert":
            assert 0 <= last <= len(parent)
            parent.insert(last, copy.deepcopy(arguments[0]))
        else:
            raise AssertionError(name)
    return top[0]


def written(window: dict[str, Any]) -> str:
    """The window as text, so that 1, 1.0 and true differ."""
    return json.dumps(window, sort_keys=True)


def written_content(window: dict[str, Any]) -> str:
    """The same without its content id, which is random."""
    return written({key: value for key, value in window.items() if key != "contentID"})


class Stock:
    """The installed Visdom's own functions."""

    def __init__(self) -> None:
        web_handlers: ModuleType = pytest.importorskip("visdom.server.handlers.web_handlers")
        import visdom.utils.server_utils as server_utils

        self._handler: Any = web_handlers.UpdateHandler
        self._window: Callable[[dict[str, Any]], dict[str, Any]] = server_utils.window
        self.rules: Rules = rules_for(flavour.recognise())
        self.is_0_3 = hasattr(self._handler, "update_embeddings_packet")

    def window(self, **args: Any) -> dict[str, Any]:
        """Create a window as ``POST /events`` does."""
        return {**self._window(copy.deepcopy(args)), "i": 0}

    def update(self, window: dict[str, Any], args: dict[str, Any]) -> None:
        """Update a window in place as ``POST /update`` does, past the gate. Raises whatever Visdom raises."""
        args = copy.deepcopy(args)
        if not self.is_0_3:
            self._handler.update(window, args)
        elif window["type"] == "embeddings":
            self._handler.update_embeddings_packet(window, args, 50)
        else:
            self._handler.update(window, args, 500, 50, 4)
