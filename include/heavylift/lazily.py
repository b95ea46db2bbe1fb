"""Names of a package that are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(module: str, package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of ``module``: it imports what is asked for from its home, once.

    A command or a task needs a few of the names, and should not wait for what the others import.

    :param homes: by name, the module of ``package`` that defines it.
    :raises AttributeError: (what is returned) a name that has no home.
    """

    def get(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{home}"), name)
        setattr(sys.modules[module], name, value)
        return value

    return get
