"""Whose server it is, which Visdom's page says."""

from __future__ import annotations

import os
from types import ModuleType, SimpleNamespace


def with_nameless_users(getpass: ModuleType) -> SimpleNamespace:
    """In the place of the module that Visdom asks for the name: where there is none, the number is said."""

    def getuser() -> str:
        try:
            return str(getpass.getuser())
        except (KeyError, OSError, ImportError):  # by the version of Python
            return str(os.getuid()) if hasattr(os, "getuid") else "somebody"

    return SimpleNamespace(getuser=getuser, getpass=getpass.getpass)
