"""Turns pydantic's errors into problems that say what was got, what is allowed, what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from heavylift.spec.document import Document
from heavylift.spec.fields import allowed_words, annotation_at, is_model, key_names
from heavylift.spec.problems import FieldPath, Problem, field_text
from heavylift.spec.secrets import hides, names_secret, show
from heavylift.spec.suggest import nearest


@dataclass(frozen=True)
class _Kind:
    """A kind of wrong value.

    :param meaning: for the page of error codes; the message itself says more.
    """

    code: str
    meaning: str


CODE_OF_SECRETS = "2132"
_CUSTOM = {
    "hl_url": _Kind("2126", "a URL that names no place in an object store"),
    "hl_name": _Kind("2127", "a name that cannot stand in a DAG id"),
    "hl_connection": _Kind("2128", "text that cannot be a connection id"),
    "hl_size": _Kind("2129", "text that is no size, rate or duration"),
    "hl_rate": _Kind("2129", "text that is no size, rate or duration"),
    "hl_duration": _Kind("2129", "text that is no size, rate or duration"),
    "hl_pattern": _Kind("2130", "a pattern that cannot be matched"),
    "hl_cron": _Kind("2131", "text that is no schedule"),
    "hl_secret": _Kind(CODE_OF_SECRETS, "a secret in a spec"),
    "hl_contradiction": _Kind("2133", "two fields that contradict one another"),
    "hl_expectation": _Kind("2134", "an expectation that Great Expectations does not have"),
    "hl_window": _Kind("2136", "text that is no time window"),
    "hl_moment": _Kind("2137", "text that is no moment and no age"),
    "hl_version": _Kind("2138", "text that is no version or package"),
    "hl_beside": _Kind("9101", "a path that is none below the spec's folder"),
    "hl_component": _Kind("9301", "text that names no dataset and no database"),
    "hl_user": _Kind("2135", "text that cannot be a user's id"),
}
_WORD = _Kind("2122", "a word that is not among those allowed")
_TYPE = _Kind("2123", "a value of another type")
_BOUND = _Kind("2124", "a number out of its bounds")
_LENGTH = _Kind("2125", "a list or text that is too short or too long")
_OTHER = _Kind("2139", "a value that cannot be used for another reason")
_TYPES = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list (lines that begin with -)",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "date_from_datetime_parsing": "a day as YYYY-MM-DD",
    "date_type": "a day as YYYY-MM-DD",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_LENGTHS = {
    "too_short": ("min_length", "at least {} of them"),
    "too_long": ("max_length", "at most {} of them"),
    "string_too_short": ("min_length", "at least {} characters"),
    "string_too_long": ("max_length", "at most {} characters"),
}
_TRUTH_WORDS = {"yes", "no", "on", "off", "y", "n", "t", "f", "1", "0"}


def translate(
    root: type[BaseModel], errors: Iterable[Mapping[str, Any]], document: Document
) -> list[Problem]:
    """Return one problem for each of pydantic's ``errors``.

    :param root: the model that was validated.
    :param document: gives the marks.
    """
    return [_problem(root, error, document) for error in errors if not _is_echo(error)]


def _is_echo(error: Mapping[str, Any]) -> bool:
    # Pydantic counts only the right items of a list: one wrong word would also be "too short".
    return bool(error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"])


def _problem(root: type[BaseModel], error: Mapping[str, Any], document: Document) -> Problem:
    kind: str = error["type"]
    path = tuple(error["loc"])
    if kind == "extra_forbidden":
        return _unknown_key(root, path, document)
    if kind == "missing":
        return _missing(root, path, document)
    key = str(path[-1]) if path else ""
    got = error.get("ctx", {}).get("got") or show(error["input"], key)
    code, expected, hint = _wanted(kind, error, annotation_at(root, path))
    # A hint quotes what it mends, and so would tell what must not be shown.
    hint = "" if hides(error["input"], key) and code != CODE_OF_SECRETS else hint
    return Problem(code, document.mark(path), field_text(path), got, expected, hint)


def _unknown_key(root: type[BaseModel], path: FieldPath, document: Document) -> Problem:
    key = str(path[-1])
    mark = document.mark(path, key=True)
    model = annotation_at(root, path[:-1])
    names = key_names(model) if is_model(model) else ()
    if names_secret(key):
        return secret_key(path, document)
    close = nearest(key, names)
    return Problem(
        "2120",
        mark,
        field_text(path),
        f"the unknown key {show(key)}",
        "one of " + ", ".join(names),
        f"perhaps {close} is meant" if close else "",
    )


def secret_key(path: FieldPath, document: Document) -> Problem:
    """Return the problem of a key that is the name of a secret."""
    return Problem(
        CODE_OF_SECRETS,
        document.mark(path, key=True),
        field_text(path),
        f"the key {str(path[-1])!r}, which looks like a secret",
        "no secret in a spec",
        "keep it in an Airflow connection and name that connection here",
    )


def _missing(root: type[BaseModel], path: FieldPath, document: Document) -> Problem:
    model = annotation_at(root, path[:-1])
    meaning = ""
    if is_model(model):
        for name, field in model.model_fields.items():
            if path[-1] in {name, field.alias}:
                meaning = field.description or ""
    inside = field_text(path[:-1])
    return Problem(
        "2121",
        document.mark(path[:-1]),
        field_text(path),
        f"no {path[-1]}" + (f" in {inside}" if inside else ""),
        f"the required key {path[-1]}",
        meaning.rstrip("."),
    )


def _wanted(kind: str, error: Mapping[str, Any], annotation: Any) -> tuple[str, str, str]:
    context = error.get("ctx", {})
    value = error["input"]
    if kind in _CUSTOM:
        return _CUSTOM[kind].code, context["expected"], context["hint"]
    words = allowed_words(annotation)
    if words:
        close = nearest(value, words) if isinstance(value, str) else ""
        return _WORD.code, "one of " + ", ".join(words), f"perhaps {close} is meant" if close else ""
    if kind in _TYPES:
        return _TYPE.code, _TYPES[kind], _type_hint(kind, value)
    if kind in _BOUNDS:
        bound, words_of_bound = _BOUNDS[kind]
        return _BOUND.code, f"{words_of_bound} {context[bound]}", ""
    if kind in _LENGTHS:
        length, template = _LENGTHS[kind]
        return _LENGTH.code, template.format(context[length]), ""
    return _OTHER.code, str(error["msg"]), ""


def _type_hint(kind: str, value: Any) -> str:
    if kind == "bool_type" and isinstance(value, str | int) and str(value).lower() in _TRUTH_WORDS:
        return "yes, no, on and off are plain text here: write true or false"
    if kind == "string_type" and isinstance(value, int | float):
        return "put it into quotes"
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        return "write the number without quotes or units"
    if kind == "tuple_type" and isinstance(value, str):
        return f"write [{value}]" if len(value) < 40 else ""
    return ""
