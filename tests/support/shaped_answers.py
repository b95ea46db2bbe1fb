"""Answers of an AWS API made of nothing but its published output shapes, every field filled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

WHEN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
_DEEPEST = 8


def answer_of(shape: Any, name: str = "x", depth: int = 0) -> Any:
    """Return a value that ``shape``, botocore's, allows; texts tell the field that holds them."""
    kind = shape.type_name
    if kind == "structure":
        members = shape.members
        if getattr(shape, "is_tagged_union", False):
            members = dict(list(members.items())[:1])
        elif depth > _DEEPEST:
            members = {key: members[key] for key in shape.required_members}
        return {key: answer_of(member, key, depth + 1) for key, member in members.items()}
    if kind == "list":
        least = max(int(shape.metadata.get("min", 0)), depth <= _DEEPEST)
        return [answer_of(shape.member, name, depth + 1)] * least
    if kind == "map":
        keys = shape.key.enum or [_scalar(shape.key, "string", "key")]
        return {key: answer_of(shape.value, key, depth + 1) for key in keys}
    return _scalar(shape, kind, name)


def _scalar(shape: Any, kind: str, name: str) -> Any:
    if kind in {"integer", "long"}:
        return max(7, int(shape.metadata.get("min", 0)))
    if kind in {"float", "double"}:
        return max(0.5, float(shape.metadata.get("min", 0)))
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return WHEN
    if kind == "blob":
        return b"blob"
    if shape.enum:
        return shape.enum[0]
    text = (
        f"arn:aws:test:us-east-1:111122223333:thing/{name}" if name.lower().endswith("arn") else f"the-{name}"
    )
    least = int(shape.metadata.get("min", 0))
    return text.ljust(least, "x")[: int(shape.metadata.get("max", 10**6))]
