"""Checks a document as a migration spec and finds everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from heavylift.spec.document import Document
from heavylift.spec.fields import key_names
from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath, Problem, SpecFileError, field_text
from heavylift.spec.prune import original_path, without_wrong_parts
from heavylift.spec.replicas import with_replicas, written_path
from heavylift.spec.rules import broken_rules
from heavylift.spec.secrets import holds_secret, names_secret
from heavylift.spec.support import SUPPORTED_SECTIONS
from heavylift.spec.translate import CODE_OF_SECRETS, secret_key, translate

_MOVES_NOTHING = frozenset({"gates", "notify", "compliance", "cutover"})

EXTENSION_PREFIX = "x-"
"""Top-level keys that begin like this are the user's own, for anchors; they are not read."""


def check_document(document: Document) -> MigrationSpec:
    """Return the spec that ``document`` holds.

    :raises SpecFileError: with all problems, in the file's order.
    """
    problems = list(document.problems)
    spec = None
    if isinstance(document.data, dict):
        spec, found = _check_data(_entries(document.data), document)
        problems += _secrets(document.data, (), document)
        problems += found
    elif not problems:
        problems.append(_no_mapping(document))
    if spec is None or problems:
        raise SpecFileError(document.file, _in_order(problems))
    return spec


def _entries(data: Mapping[str, Any]) -> dict[str, Any]:
    # A section of which every line is commented out is null, and as good as absent.
    known = key_names(MigrationSpec)
    return {
        key: value
        for key, value in data.items()
        if not key.startswith(EXTENSION_PREFIX) and not (value is None and key in known)
    }


def _check_data(data: dict[str, Any], document: Document) -> tuple[MigrationSpec | None, list[Problem]]:
    spec: MigrationSpec | None = None
    errors: list[Any] = []
    try:
        spec = MigrationSpec.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    problems = [*_unsupported(data, document), *translate(MigrationSpec, errors, document)]
    if spec is not None:
        problems += _nothing_moves(spec, document)
    problems += _rule_problems(spec, data, errors, document)
    return spec and with_replicas(spec), problems


def _rule_problems(
    spec: MigrationSpec | None, data: dict[str, Any], errors: list[Any], document: Document
) -> list[Problem]:
    rest, kept = without_wrong_parts(data, errors)
    checked = spec or _valid_or_none(rest)
    if checked is None:
        return []
    problems = []
    for broken in broken_rules(with_replicas(checked), whole=spec is not None):
        path = original_path(written_path(checked, broken.path), kept)
        mark = document.mark(path)
        problems.append(
            Problem(broken.code, mark, field_text(path), broken.got, broken.expected, broken.hint)
        )
    return problems


def _valid_or_none(data: dict[str, Any]) -> MigrationSpec | None:
    try:
        return MigrationSpec.model_validate(data)
    except ValidationError:
        return None


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
                "take the section out; for now its things have to be moved by other means",
            )


def _nothing_moves(spec: MigrationSpec, document: Document) -> Iterator[Problem]:
    if not any(getattr(spec, section) for section in SUPPORTED_SECTIONS if section not in _MOVES_NOTHING):
        yield Problem(
            "2155",
            document.mark(("datasets",)),
            "datasets",
            "nothing to move",
            "at least one dataset or database",
        )


def _secrets(value: Any, path: FieldPath, document: Document) -> Iterator[Problem]:
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
            CODE_OF_SECRETS,
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
        same = problem.code if problem.code == CODE_OF_SECRETS else problem.field
        unique.setdefault((problem.mark, same), problem)
    return tuple(sorted(unique.values(), key=lambda problem: problem.mark))
