"""How a table of settings is read: paths into what a platform tells, and small functions over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Attributes = Mapping[str, Any]
Row = Mapping[str, "str | Callable[[Attributes], Any]"]


def read(row: Row, attributes: Attributes) -> dict[str, Any]:
    """Return the settings of ``row`` that ``attributes`` tell."""
    found = {}
    for name, path in row.items():
        value = at(path, attributes) if isinstance(path, str) else path(attributes)
        if value is not None and value != [] and value != "":
            found[name] = value
    return found


def at(path: str, value: Any) -> Any:
    """Return what JMESPath finds."""
    import jmespath

    return jmespath.search(path, value)


def number(path: str) -> Callable[[Attributes], int | None]:
    """Return a reader of a whole number, which may be written as text."""

    def take(attributes: Attributes) -> int | None:
        value = at(path, attributes)
        text = str(value).removesuffix("s").split(".")[0]
        return int(text) if value is not None and not isinstance(value, bool) and text.isdigit() else None

    return take


def word(path: str, words: Mapping[str, Any]) -> Callable[[Attributes], Any]:
    """Return a reader of a word that means something neutral; unknown words mean nothing."""

    def take(attributes: Attributes) -> Any:
        value = at(path, attributes)
        if isinstance(value, bool):
            value = str(value).lower()
        return next((words[each] for each in words if str(value).lower().startswith(each)), None)

    return take


ENGINES = {
    "postgres": "postgres", "aurora-postgres": "postgres", "mysql": "mysql", "mariadb": "mysql",
    "aurora-mysql": "mysql", "aurora": "mysql", "sqlserver": "sqlserver",
}  # fmt: skip
TRUTH = {"true": True, "false": False, "enabled": True, "suspended": False}
