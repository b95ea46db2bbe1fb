"""Holds a request to what botocore's model states of it beyond types: lengths, counts, patterns, words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.validate import ParamValidator

_CLASS = re.compile(r"\\p\{([A-Z])\}")


def violations(shape: Any, value: Any, where: str = "") -> Iterator[str]:
    """Yield what is wrong with a value, as far as the model states it."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        yield f"{where}: {report.generate_report()}"
        return
    yield from _beyond_types(shape, value, where)


def _beyond_types(shape: Any, value: Any, where: str) -> Iterator[str]:
    told: Mapping[str, Any] = shape.metadata
    kind = shape.type_name
    if kind in {"string", "list", "map"} and not told.get("min", 0) <= len(value) <= told.get(
        "max", len(value)
    ):
        yield f"{where}: {len(value)}, and at most {told.get('max')}"
    if kind in {"integer", "long"} and value < told.get("min", value):
        yield f"{where}: {value} is less than {told['min']}"
    if kind == "string":
        yield from _text(shape, value, where)
    for part, each, name in _parts(shape, value):
        if part is None:
            yield f"{where}: unknown {name}"
        else:
            yield from _beyond_types(part, each, f"{where}.{name}")


def _text(shape: Any, value: str, where: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        yield f"{where}: {value!r} does not match {pattern}"
    if shape.enum and value not in shape.enum:
        yield f"{where}: {value!r} is none of {shape.enum}"


def _parts(shape: Any, value: Any) -> Iterator[tuple[Any, Any, str]]:
    if shape.type_name == "structure":
        for name, each in value.items():
            yield shape.members.get(name), each, name
    elif shape.type_name == "list":
        for each in value:
            yield shape.member, each, "[]"
    elif shape.type_name == "map":
        for key, each in value.items():
            yield shape.key, key, "key"
            yield shape.value, each, key


def _matches(pattern: str, value: str) -> bool:
    """Match as the service does: with Unicode's categories, and a dot that takes no end of a line."""
    if "\\p{" in pattern:
        allowed = "".join(
            re.escape(each) for each in set(value) if unicodedata.category(each)[0] in _CLASS.findall(pattern)
        )
        pattern = _CLASS.sub("", pattern).replace("[", f"[{allowed}", 1)
    elif any(each in value for each in "\n\r\x85\u2028\u2029"):
        return False
    return re.fullmatch(pattern.removeprefix("^"), value) is not None
