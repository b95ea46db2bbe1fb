"""Lines of logs, as they are replayed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.alerts.queries.tokens import malformed

MAX_LINES = 200_000


@dataclass(frozen=True)
class Line:
    """One line.

    :param at: milliseconds since 1970.
    :param raw: as it came: a text, or a JSON object.
    :param fields: of a JSON object: path → text, number or truth value; nulls and lists are left out.
    """

    number: int
    at: int
    raw: str
    fields: dict[str, str | float | bool]
    structured: bool


def line(number: int, at: int, raw: str) -> Line:
    """Return a line with the fields of its JSON."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    fields: dict[str, str | float | bool] = {}
    if isinstance(found, dict):
        _flat(found, "", fields)
    return Line(number, at, raw, fields, isinstance(found, dict))


def _flat(found: dict[str, Any], before: str, fields: dict[str, str | float | bool]) -> None:
    for name, value in found.items():
        if isinstance(value, dict):
            _flat(value, f"{before}{name}.", fields)
        elif isinstance(value, str | float | int):
            fields[before + name] = value


def read_lines(path: Path) -> list[Line]:
    """Read JSON lines: ``{"at": MILLISECONDS, "message": TEXT OR OBJECT}``.

    :raises SpecError: a line is another thing, or there are none, or too many.
    """
    found: list[Line] = []
    with path.open(encoding="utf-8") as file:
        for row, each in enumerate(file, 1):
            if not each.strip():
                continue
            if len(found) >= MAX_LINES:
                raise malformed(f"over {MAX_LINES} lines in {path}", "fewer")
            found.append(_line(f"{path}, line {row}", len(found), each))
    if not found:
        raise malformed(f"no lines in {path}", "at least one")
    return found


def _line(what: str, number: int, text: str) -> Line:
    try:
        each = json.loads(text)
        at, message = each["at"], each["message"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise malformed(f"{what}: {text}", '{"at": MILLISECONDS, "message": …}') from None
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < 10**14:
        raise malformed(f"{what}: the time {at}", "whole milliseconds since 1970")
    if isinstance(message, dict):
        return line(number, at, json.dumps(message, ensure_ascii=False, separators=(",", ":")))
    if not isinstance(message, str):
        raise malformed(f"{what}: a message of another kind", "a text or an object")
    return line(number, at, message)
