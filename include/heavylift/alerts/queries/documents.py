"""Reads files of queries, of names on the target, and writes what came out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from heavylift.alerts.queries.model import Where
from heavylift.alerts.queries.tokens import malformed
from heavylift.errors import SpecError

MAX_BYTES = 4 * 1024 * 1024
_LISTS = ("queryDefinitions", "savedQueries", "metricFilters", "queries", "value")
_NAMES = ("name", "displayName", "filterName")
_TEXTS = ("queryString", "query", "expr", "filter", "filterPattern")
_KEYS = frozenset({"table", "selector", "message", "fields"})


def read_queries(path: Path) -> list[tuple[str, str]]:
    """Return names and texts of the queries of a file.

    JSON: an answer of ``describe-query-definitions``, of Azure's saved searches or of Logging's saved
    queries, or a list of objects with ``name`` and ``query``. Any other file is one query of the file's name.

    :raises SpecError: it is none of these, or two have one name.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise malformed(f"{path}: {path.stat().st_size} bytes", f"at most {MAX_BYTES}")
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() != ".json":
            return [(path.stem, text)]
        found = json.loads(text)
    except (OSError, ValueError, RecursionError) as problem:
        if isinstance(problem, SpecError):
            raise
        raise malformed(f"{path}: {type(problem).__name__}", "a file of queries") from None
    if isinstance(found, dict):
        found = next((found[each] for each in _LISTS if each in found), None)
    if not isinstance(found, list) or not found:
        raise malformed(f"{path}: another document", f"a list, or an object with one of {', '.join(_LISTS)}")
    queries = [_query(path, each) for each in found]
    if len({name for name, _ in queries}) < len(queries):
        raise malformed(f"{path}: two queries of one name", "names that differ")
    return queries


def _query(path: Path, each: Any) -> tuple[str, str]:
    if not isinstance(each, dict):
        raise malformed(f"{path}: {type(each).__name__} in the list", "objects")
    inner = {**each}
    for key in ("properties", "loggingQuery"):
        more = each.get(key)
        inner |= {**more, **{k: v for k, v in each.items() if k in _NAMES}} if isinstance(more, dict) else {}
    name = next((inner[key] for key in reversed(_NAMES) if isinstance(inner.get(key), str)), "")
    text = next((inner[key] for key in _TEXTS if isinstance(inner.get(key), str)), None)
    if not name or text is None:
        raise malformed(f"{path}: a query without name or text", "name and query")
    return name, text


def read_where(path: Path | None) -> Where:
    """Return where lines lie on the target: JSON with ``table``, ``selector``, ``message``, ``fields``.

    :raises SpecError: it is of another form.
    """
    if path is None:
        return Where()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise malformed(f"{path}: {type(problem).__name__}", "JSON") from None
    fields = found.get("fields", {}) if isinstance(found, dict) else None
    texts = [*found.values()] if isinstance(found, dict) else []
    flat = [each for each in texts if not isinstance(each, dict)]
    if (
        not isinstance(found, dict)
        or not found.keys() <= _KEYS
        or not isinstance(fields, dict)
        or not all(isinstance(each, str) for each in [*flat, *fields.values()])
    ):
        raise malformed(f"{path}: another document", ", ".join(sorted(_KEYS)))
    return Where(
        found.get("table", ""),
        found.get("selector", ""),
        found.get("message", ""),
        tuple(sorted(fields.items())),
    )
