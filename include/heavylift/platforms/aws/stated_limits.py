"""What botocore's own model of a service states of a request's fields: lengths, patterns and counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stated:
    """What is stated of one field.

    :param most: characters of a text, or items of a list or map; 0 where no bound is stated.
    :param fewest: likewise, or the least number.
    :param pattern: of the whole text, as the service writes it; empty where none is stated.
    """

    most: int = 0
    fewest: int = 0
    pattern: str = ""


def stated_limits(service: str, fields: Iterable[str]) -> dict[str, Stated]:
    """Return what the model states of fields of requests; reads the model once, and asks nobody.

    :param fields: an operation and the way down its request: ``CreateTrial/Tags/[]/Key``. ``[]`` is the item
        of a list or the value of a map, ``{}`` a map's key.
    :raises KeyError: the model has no such field.
    """
    import botocore.session

    # The model itself is not kept: it is large.
    model = botocore.session.get_session().get_service_model(service)
    return {each: _stated(model, each) for each in fields}


def _stated(model: Any, field: str) -> Stated:
    operation, *parts = field.split("/")
    shape = model.operation_model(operation).input_shape
    for part in parts:
        shape = _below(shape, part)
    told = shape.metadata
    return Stated(int(told.get("max", 0)), int(told.get("min", 0)), str(told.get("pattern", "")))


def _below(shape: Any, part: str) -> Any:
    if part == "{}":
        return shape.key
    if part == "[]":
        return shape.member if shape.type_name == "list" else shape.value
    return shape.members[part]
