"""Files of policies: read with bounds, and refused with the place and the remedy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from heavylift.errors import SpecError

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PATTERN = 4096
MAX_STATEMENTS = 10_000
_YAML = frozenset({".yaml", ".yml"})


def read_documents(path: Path) -> Any:
    """Return what a file of JSON, or of YAML, holds.

    :raises SpecError: it cannot be read, is no JSON or YAML, or names a key twice.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise unusable(str(path), f"more than {MAX_FILE_BYTES:,} bytes", "a smaller file", "split it")
        data = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(
            str(path), type(error).__name__, "a readable file in UTF-8", "name the right file"
        ) from error
    return parse_documents(data, str(path), as_yaml=path.suffix.lower() in _YAML)


def parse_documents(text: str, where: str, *, as_yaml: bool = False) -> Any:
    """Return what ``text`` holds.

    :raises SpecError: it is no JSON or YAML, or names a key twice.
    """
    try:
        if as_yaml:
            _refuse_aliases(text)
            found = [each for each in yaml.safe_load_all(text) if each is not None]
            return found[0] if len(found) == 1 else found
        return json.loads(text, object_pairs_hook=_no_key_twice)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        detail = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise unusable(where, detail, "one document of JSON (or YAML)", "mend the file") from error


def _refuse_aliases(text: str) -> None:
    # A few lines of them can stand for gigabytes.
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            mark = event.start_mark
            where = f" on line {mark.line + 1}" if mark else ""
            raise ValueError(f"an alias{where}, which is not read")


def _no_key_twice(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            # Programs differ in which of the two they take, so that nobody knows what is allowed.
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def mapping(value: Any, where: str, what: str = "an object") -> Mapping[str, Any]:
    """Return ``value``, which must be an object.

    :raises SpecError: it is none.
    """
    if isinstance(value, Mapping):
        return value
    raise unusable(where, type(value).__name__, what, "mend the document")


def first_keys(value: Mapping[str, Any]) -> str:
    """Return the first keys of an object that is not what was expected, in words."""
    return f"keys {', '.join(map(str, list(value)[:5]))}"[:200]


def several(value: Any, where: str) -> list[Any]:
    """Return ``value`` as a list: itself, or what it holds alone.

    :raises SpecError: it holds too much.
    """
    found = list(value) if isinstance(value, list) else [] if value is None else [value]
    if len(found) > MAX_STATEMENTS:
        raise unusable(where, f"{len(found):,} items", f"at most {MAX_STATEMENTS:,}", "split the document")
    return found


def texts(value: Any, where: str) -> list[str]:
    """Return ``value`` as a list of strings.

    :raises SpecError: something is no string, is empty or too long.
    """
    found = several(value, where)
    for each in found:
        if not isinstance(each, str) or not each or len(each) > MAX_PATTERN:
            raise unusable(
                where, repr(each)[:80], f"strings of 1 to {MAX_PATTERN} characters", "mend this statement"
            )
    return found


def known_keys(value: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Do nothing where ``value`` has no other keys than ``known``.

    :raises SpecError: it has; what is not understood could be what narrows a permission.
    """
    odd = sorted(set(map(str, value)) - set(known))
    if odd:
        raise unusable(
            where, f"the key {odd[0]!r}", f"of: {', '.join(sorted(known))}", "correct or remove it"
        )


def unusable(where: str, got: str, expected: str, remedy: str) -> SpecError:
    """Return the error for a document that cannot be used, which names where."""
    return SpecError(
        f"reading the permissions in {where}",
        got=got,
        expected=expected,
        state="nothing was translated and nothing was written",
        remedy=remedy,
        code="8102",
    )
