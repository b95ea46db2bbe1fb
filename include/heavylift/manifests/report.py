"""What a translation did and what it left, with paths, and without secrets."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]

_SECRET_NAME = re.compile(
    r"(?i)passw|passphrase|secret|token|credential|api_?key|private_?key|access_?key|connection_?string|\bpwd\b|_key$"
)
# What stands before the @ of a URI of Azure's file system is a container's name.
_USERINFO = re.compile(r"(?<!abfs)(?<!bfss)(?<!wasb)(?<!asbs)://[^/@\s]+@")
_QUERY = re.compile(r"\?\S+")
_LONG = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|\beyJ[\w.-]{20,}|-----BEGIN[^-]*-----.*", re.DOTALL)
_SHOWN = 160


@dataclass(frozen=True)
class Change:
    """One change of a document."""

    file: str
    document: int
    object: str
    path: str
    old: str
    new: str
    reason: str


@dataclass(frozen=True)
class Finding:
    """One thing that was left as it is.

    :param subject: such as ``storage``.
    """

    file: str
    document: int
    object: str
    path: str
    value: str
    subject: str
    why: str
    remedy: str


@dataclass
class Report:
    """Everything that is told of a translation."""

    changes: list[Change] = field(default_factory=list)
    untranslated: list[Finding] = field(default_factory=list)
    requirements: list[Finding] = field(default_factory=list)


def dotted(path: Path) -> str:
    """Return a path as people write it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def shown(value: Any, path: Path = (), name: str = "") -> str:
    """Return a value as it may be shown: short, and without what looks secret.

    :param name: of an environment variable whose value it is.
    """
    if value is None:
        return ""
    last = name or str(path[-1] if path else "")
    if _SECRET_NAME.search(last) and isinstance(value, str):
        return "(not shown)"
    text = _LONG.sub("(not shown)", _QUERY.sub("?(not shown)", _USERINFO.sub("://(not shown)@", str(value))))
    text = re.sub(r"(?i)((?:passw\w*|secret\w*|token|key)\s*[=:]\s*)\S+", r"\1(not shown)", text)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def rename(mapping: MutableMapping[str, Any], old: str, new: str, value: Any) -> None:
    """Put ``new: value`` in the place of the key ``old``; comments of a round trip stay."""
    if new != old and new in mapping:
        del mapping[old]
        mapping[new] = value
    elif new == old:
        mapping[old] = value
    elif hasattr(mapping, "insert"):
        at, comment = list(mapping).index(old), mapping.ca.items.pop(old, None)  # type: ignore[attr-defined]
        del mapping[old]
        mapping.insert(at, new, value)
        if comment:
            mapping.ca.items[new] = comment  # type: ignore[attr-defined]
    else:
        rows = list(mapping.items())
        mapping.clear()
        mapping.update((new, value) if key == old else (key, kept) for key, kept in rows)
