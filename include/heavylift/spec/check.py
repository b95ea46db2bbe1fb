"""Checks a document as a migration spec and finds everything that is wrong with it at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from heavylift.spec.document import Document
from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import Path, Problem, SpecFileError, field_text
from heavylift.spec.rules import broken_rules
from heavylift.spec.secrets import holds_secret, names_secret
from heavylift.spec.support import SUPPORTED_SECTIONS
from heavylift.spec.translate import secret_key, translate

EXTENSION_PREFIX = "x-"
"""Top-level keys that begin like this are the user's own, for anchors; they are not read."""

_STAND_INS = {"apiVersion": "heavylift/v1", "migration": "unnamed", "owner": "unnamed"}


def check_document(document: Document) -> MigrationSpec:
    """Return the spec that ``document`` holds.

    :raises SpecFileError: with all problems, in the file's order.
    """
    problems = list(document.problems)
    spec = None
    if isinstance(document.data, dict):
        data = {key: value for key, value in document.data.items() if not key.startswith(EXTENSION_PREFIX)}
        spec, found = _check_data(data, document)
        problems += _secrets(document.data, (), document)
        problems += found
    elif not problems:
        problems.append(_no_mapping(document))
    if spec is None or problems:
        raise SpecFileError(document.file, _in_order(problems))
    return spec


def _check_data(data: dict[str, Any], document: Document) -> tuple[MigrationSpec | None, list[Problem]]:
    problems = list(_unsupported(data, document))
    errors: list[Any] = []
    try:
        spec: MigrationSpec | None = MigrationSpec.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        spec = None
    problems += translate(MigrationSpec, errors, document)
    if "datasets" not in data or data["datasets"] in (None, [], {}):
        problems += _nothing_moves(data, document)
    rest, kept = _without_wrong_parts(data, errors)
    checked = spec or _valid_or_none(rest)
    if checked is not None:
        for broken in broken_rules(checked, whole=spec is not None):
            path = _original(broken.path, kept)
            mark = document.mark(path)
            problems.append(
                Problem(broken.code, mark, field_text(path), broken.got, broken.expected, broken.hint)
            )
    return spec, problems


def _valid_or_none(data: dict[str, Any]) -> MigrationSpec | None:
    try:
        return MigrationSpec.model_validate(data)
    except ValidationError:
        return None


def _without_wrong_parts(
    data: dict[str, Any], errors: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Return ``data`` without what is wrong by itself, and which items of each list were kept."""
    items: dict[str, set[int]] = defaultdict(set)
    sections: set[str] = set()
    for error in errors:
        loc = error["loc"]
        if len(loc) > 1 and isinstance(loc[1], int):
            items[loc[0]].add(loc[1])
        elif loc:
            sections.add(str(loc[0]))
    rest = {key: value for key, value in data.items() if key not in sections}
    rest |= {key: value for key, value in _STAND_INS.items() if key in sections}
    kept: dict[str, list[int]] = {}
    for section, wrong in items.items():
        if section in rest:
            kept[section] = [index for index in range(len(rest[section])) if index not in wrong]
            rest[section] = [rest[section][index] for index in kept[section]]
    return rest, kept


def _original(path: Path, kept: Mapping[str, list[int]]) -> Path:
    if len(path) > 1 and path[0] in kept and isinstance(path[1], int):
        return (path[0], kept[str(path[0])][path[1]], *path[2:])
    return path


def _unsupported(data: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    for section, supported in SUPPORTED_SECTIONS.items():
        if not supported and data.get(section) not in (None, [], {}):
            able = ", ".join(name for name, can in SUPPORTED_SECTIONS.items() if can)
            yield Problem(
                "2140",
                document.mark((section,), key=True),
                section,
                f"the section {section!r}, which is understood but not yet supported by this version",
                f"only sections that this version carries out ({able})",
                "take it out, or move it into another way of migrating it",
            )


def _nothing_moves(data: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    named = any(
        data.get(section) for section, can in SUPPORTED_SECTIONS.items() if can and section != "gates"
    )
    unsupported = any(data.get(section) for section, can in SUPPORTED_SECTIONS.items() if not can)
    if not named and not unsupported:
        yield Problem(
            "2155", document.mark(("datasets",)), "datasets", "nothing to move", "at least one dataset"
        )


def _secrets(value: Any, path: Path, document: Document) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, inner in value.items():
            here = (*path, key)
            if names_secret(key) and not isinstance(inner, dict | list):
                yield secret_key(here, document)
            else:
                yield from _secrets(inner, here, document)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _secrets(inner, (*path, index), document)
    elif isinstance(value, str) and holds_secret(value):
        yield Problem(
            "2132",
            document.mark(path),
            field_text(path),
            "a value that looks like a secret (not shown)",
            "no secret in a spec",
            "keep it in an Airflow connection and name that connection here",
        )


def _no_mapping(document: Document) -> Problem:
    data = document.data
    kind = "a list" if isinstance(data, list) else "an empty file" if data is None else "a single value"
    code = "2106" if data is None else "2107"
    return Problem(
        code, document.mark(()), "", kind, "a mapping with apiVersion, migration, source, target, …"
    )


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    # The hunt for secrets and pydantic may both find the same field: the first says more.
    unique: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        unique.setdefault((problem.mark, problem.field), problem)
    return tuple(sorted(unique.values(), key=lambda problem: problem.mark))
