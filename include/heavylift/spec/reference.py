"""Every field of a migration spec as a Markdown table, made from the models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from heavylift.spec import base, moments, quantities, windows
from heavylift.spec.fields import allowed_words, bare, is_model
from heavylift.spec.model import MigrationSpec
from heavylift.spec.support import SUPPORTED_SECTIONS

_SPECIAL = {
    get_args(alias)[1]: word
    for alias, word in (
        (base.Name, "name"),
        (base.ConnectionId, "connection id"),
        (base.Url, "URL"),
        (base.Pattern, "pattern"),
        (base.CronSchedule, "cron or preset"),
        (quantities.SizeBytes, "size"),
        (quantities.BytesPerSecond, "rate"),
        (quantities.RequestsPerSecond, "requests a second"),
        (quantities.Seconds, "duration"),
        (moments.Moment, "moment or age"),
        (windows.WindowText, "window"),
    )
}
_PLAIN = {str: "text", bool: "true or false", int: "whole number", float: "number"}


@dataclass(frozen=True)
class FieldRow:
    """One field, for people.

    :param name: its path, with ``[]`` after the name of a list.
    :param kind: what may stand there.
    """

    name: str
    kind: str
    default: str
    meaning: str


def field_rows(model: type[BaseModel] = MigrationSpec, prefix: str = "") -> Iterator[FieldRow]:
    """Yield every field of ``model`` and of the models inside it, depth first."""
    for name, field in model.model_fields.items():
        path = prefix + (field.alias or name)
        annotation = bare(field.annotation)
        item = _item(annotation)
        kind = _kind(annotation, field)
        yield FieldRow(path, kind, _default(field, kind), field.description or "")
        if is_model(item):
            yield from field_rows(item, f"{path}{'' if item is annotation else '[]'}.")


def fields_as_markdown() -> str:
    """Return one table for the head of the spec and one for each section."""
    tables: dict[str, list[FieldRow]] = {}
    for row in field_rows():
        section, dot, _ = row.name.partition(".")
        tables.setdefault(section.removesuffix("[]") if dot else "", []).append(row)
    return "\n".join(_table(section, rows) for section, rows in tables.items())


def _table(section: str, rows: list[FieldRow]) -> str:
    later = "" if SUPPORTED_SECTIONS.get(section, True) else " (not yet supported)"
    lines = [f"### `{section}`{later}" if section else "### The top of the file", ""]
    lines += ["| field | value | default | meaning |", "|---|---|---|---|"]
    for row in rows:
        cells = (f"`{row.name}`", row.kind, row.default, row.meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _item(annotation: Any) -> Any:
    return bare(get_args(annotation)[0]) if get_origin(annotation) is tuple else annotation


def _kind(annotation: Any, field: FieldInfo) -> str:
    item = _item(annotation)
    if is_model(item):
        kind = "mapping"
    elif get_origin(item) is dict:
        kind = "mapping of text"
    else:
        words = ", ".join(f"`{word}`" for word in allowed_words(item))
        kind = words or _special(field) or _PLAIN.get(item, getattr(item, "__name__", "text"))
    return kind if item is annotation else f"list: {kind}"


def _special(field: FieldInfo) -> str:
    for part in (*field.metadata, *_nested_metadata(field.annotation)):
        if part.__hash__ is not None and part in _SPECIAL:
            return _SPECIAL[part]
    return ""


def _nested_metadata(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from _nested_metadata(inner)


def _default(field: FieldInfo, kind: str) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, BaseModel) or value in (None, (), {}, ""):
        return ""
    return f"`{_written(value, kind)}`"


def _written(value: Any, kind: str) -> str:
    if kind == "size":
        return quantities.format_size(value)
    if kind == "duration":
        return quantities.format_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(str(part) for part in value) + "]"
    return str(value.value if isinstance(value, Enum) else value)
