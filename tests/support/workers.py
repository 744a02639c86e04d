"""Which tests a worker is given, where there are several of them."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class Files(LoadScopeScheduling):  # type: ignore[misc]
    """One file at a time: what its tests share is made once. All browser tests together: there is one browser."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "browser" if file.startswith("tests/browser/") else file
