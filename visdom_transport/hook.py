"""Runs our code right after a process imports Visdom's client or server.

The `.pth` line of the package calls :func:`install` at every interpreter start, whatever that interpreter is for. So
this module imports nothing that is not loaded already, and does nothing until a watched module is imported.
"""

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

SWITCH = "VISDOM_TRANSPORT"
BACKGROUND = "VISDOM_TRANSPORT_BACKGROUND"

ON = ("1", "on", "true", "yes")
OFF = ("0", "off", "false", "no")

#: Module name -> what to call once the module has been executed, as "module:function".
#: Visdom's `run_server` imports `visdom.server.app` before anything else of the server.
WATCHED = {
    "visdom": "visdom_transport.client:visdom_imported",
    "visdom.server.app": "visdom_transport.visdom.seams:apply",
}


def background_wanted() -> bool:
    """Whether the environment asks that Visdom's clients publish in the background: `VISDOM_TRANSPORT_BACKGROUND=1`."""
    return os.environ.get(BACKGROUND, "").strip().lower() in ON


def enabled() -> bool:
    """Whether the environment allows us to change anything: `VISDOM_TRANSPORT=0` (or `off`, `false`, `no`) does not."""
    return os.environ.get(SWITCH, "").strip().lower() not in OFF


def installed() -> "PostImportFinder | None":
    """The finder of this process, if :func:`install` has put one there."""
    return next((finder for finder in sys.meta_path if isinstance(finder, PostImportFinder)), None)


def install(watched: "Mapping[str, str]" = WATCHED) -> None:
    """Watch for the import of the given modules; call this as often as you like.

    Modules that are imported already are handled at once. Never raises because of a callback.
    """
    if not enabled():
        return
    finder = installed()
    if finder is None:
        finder = PostImportFinder()
        sys.meta_path.insert(0, finder)
    for name, callback in watched.items():
        if finder.watched.get(name) != callback:
            finder.watched[name] = callback
            if name in sys.modules:
                notify(name, callback)


def notify(name: str, callback: str) -> None:
    """Call "module:function"; a failure becomes one warning, because the import that led here is not ours to break."""
    try:
        module_name, _, function_name = callback.partition(":")
        # The statement's own machinery rather than importlib, which may not be loaded in this process.
        __import__(module_name)
        getattr(sys.modules[module_name], function_name)()
    except Exception as error:
        import logging

        logging.getLogger("visdom_transport").warning(
            "visdom-transport stays off: %s failed after the import of %s (%s: %s). "
            "Visdom runs as it is without us; VISDOM_TRANSPORT=0 in the environment silences this.",
            callback,
            name,
            type(error).__name__,
            error,
        )


class PostImportFinder:
    """A finder at the head of `sys.meta_path` that finds nothing itself: it wraps the loader the others find.

    It stays for the life of the process, so `importlib.reload` of a watched module is noticed too.
    """

    def __init__(self) -> None:
        self.watched: dict[str, str] = {}
        self._asking: set[tuple[int, str]] = set()

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        callback = self.watched.get(name)
        # Other post-import hooks ask every finder, us included, while we are asking them.
        question = (get_ident(), name)
        if callback is None or question in self._asking:
            return None
        self._asking.add(question)
        try:
            for finder in sys.meta_path:
                spec = finder.find_spec(name, path, target) if finder is not self else None
                if spec is not None:
                    if hasattr(spec.loader, "exec_module"):
                        spec.loader = NotifyingLoader(spec.loader, name, callback)  # type: ignore[assignment]
                    return spec
            return None
        finally:
            self._asking.discard(question)


class NotifyingLoader:
    """Stands in for the real loader until the module is executed, then steps aside.

    The callback runs while the importing thread holds the import lock of this one module, and no lock of ours. Other
    threads that import the module wait for it, and then see the module complete.
    """

    def __init__(self, loader: "Any", name: str, callback: str) -> None:
        self.loader = loader
        self.name = name
        self.callback = callback

    def __getattr__(self, attribute: str) -> "Any":
        # runpy, inspect and pkgutil ask loaders for get_code, get_source, is_package and the like.
        return getattr(self.loader, attribute)

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: "ModuleType") -> None:
        # Before the execution, so that the module sees its true loader, also when it fails and is imported again.
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        self.loader.exec_module(module)
        notify(self.name, self.callback)
