"""What may be kept of an API's answer: nothing that could be a secret, and nothing without end.

Values of environment variables, hyperparameters and arguments are kept only where they are plainly no
secret (numbers, switches, URIs without credentials, ids). What is left out shows as ``***``; its name is
kept, and what it refers to is in the references.
"""

from __future__ import annotations

import re
from typing import Any

from heavylift.redaction import HIDDEN, without_credentials

MAX_TEXT = 2000
MAX_ITEMS = 200

_SECRET_NAME = re.compile(
    r"(?i)passw|passwd|pwd|secret(?!s?_?(arn|name|id)|arn|name|version)|credential(?!s?_?arn|sarn|arn)"
    r"|private_?key|api_?key|access_?key(?!.*id$)|auth_?token|(?<!next)(^|_|-|[a-z])token$|connection_?string"
    r"|sas_?token|license_?key|^auth$"
)
_HARMLESS = re.compile(
    r"(?i)^(true|false|yes|no|on|off|[0-9.eE+-]{1,20}|[a-z]{2}(-[a-z]+)+-\d|arn:[a-z-]+:.*|(s3|gs|az|abfss?)://[^@\s]*"
    r"|\d{12}\.dkr\.ecr\.\S+|(subnet|sg|vpc|vol|i|fs)-[0-9a-f]+)$"
)
VALUES_HIDDEN = frozenset(
    {
        "environment",
        "variables",
        "env",
        "hyperparameters",
        "defaultarguments",
        "nonoverridablearguments",
        "statichyperparameters",
        "connectionproperties",
        "environmentvariables",
    }
)
"""Maps in which users keep what they like, under lower-case names."""


def is_secret(name: str) -> bool:
    """Tell whether the value of what has this name could be a secret."""
    return bool(_SECRET_NAME.search(name))


def scrubbed(value: Any, name: str = "", *, own: bool = False) -> Any:
    """Return a plain JSON value without secrets, cut where it is very long.

    :param name: the field that holds it.
    :param own: it lies in a map of :data:`VALUES_HIDDEN`.
    """
    if isinstance(value, dict):
        inside = own or name.lower() in VALUES_HIDDEN
        kept = dict(list(value.items())[:MAX_ITEMS])
        pair = _named_pair(value)
        if pair is not None and (inside or _SECRET_NAME.search(pair[0])):
            return {**value, pair[1]: scrubbed(value[pair[1]], pair[0], own=True)}
        return {key: scrubbed(each, str(key), own=inside) for key, each in kept.items()}
    if isinstance(value, list):
        inside = own or name.lower() in VALUES_HIDDEN
        return _list(value, name, own=inside)
    if isinstance(value, str):
        return _text(value, name, own=own)
    return HIDDEN if own and value is not None and _SECRET_NAME.search(name) else value


def _named_pair(value: dict[str, Any]) -> tuple[str, str] | None:
    """Return a list item's name and its value's key: ``{"Name": "A", "Value": "b"}``."""
    for name, inner in (("Name", "Value"), ("name", "value"), ("Key", "Value"), ("key", "value")):
        if isinstance(value.get(name), str) and isinstance(value.get(inner), str):
            return value[name], inner
    return None


def _list(value: list[Any], name: str, *, own: bool) -> list[Any]:
    kept = []
    for index, each in enumerate(value[:MAX_ITEMS]):
        before = value[index - 1] if index else None
        # ["--db-password", "x"]
        hide = isinstance(before, str) and before.startswith("-") and _SECRET_NAME.search(before.lstrip("-"))
        kept.append(HIDDEN if hide and isinstance(each, str) else scrubbed(each, name, own=own))
    return kept


def _text(value: str, name: str, *, own: bool) -> str:
    if not value:
        return value
    if _SECRET_NAME.search(name) and not value.startswith("arn:"):
        return HIDDEN
    shown = without_credentials(value)
    if own and not (shown == value and _HARMLESS.match(value)):
        return HIDDEN
    return shown if len(shown) <= MAX_TEXT else f"{shown[:MAX_TEXT]}… ({len(value)} characters)"
