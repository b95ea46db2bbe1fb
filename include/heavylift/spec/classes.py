"""The storage class in which objects arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from heavylift.spec.base import SpecModel, Text, wrong
from heavylift.spec.vocabulary import ClassPolicy

OFFLINE: Mapping[str, frozenset[str]] = {
    "s3": frozenset({"GLACIER", "DEEP_ARCHIVE"}),
    "az": frozenset({"ARCHIVE"}),
}
"""URL scheme → classes whose objects must be restored before they can be read. Cloud Storage has
none (its ARCHIVE is read at once)."""


class StorageClasses(SpecModel):
    """The class in which objects arrive on the target."""

    policy: ClassPolicy = Field(
        default=ClassPolicy.DEFAULT,
        description="default: the target's own default class; keep: the class most like the source's.",
    )
    classes: dict[str, Text] = Field(
        default={}, description="Source class: target class; goes before what policy says."
    )

    @field_validator("classes")
    @classmethod
    def _can_be_read(cls, value: dict[str, str]) -> dict[str, str]:
        # A Cloud Storage class called ARCHIVE can be read; only Azure writes it Archive.
        for name in value.values():
            if name in {"GLACIER", "DEEP_ARCHIVE", "Archive"}:
                raise wrong(
                    "contradiction", "a class that can be read at once", got=f"{name}, which must be restored"
                )
        return value


def _classes(value: Any) -> Any:
    if isinstance(value, str):
        return {"policy": value}
    if isinstance(value, dict) and not set(value) & {"policy", "classes"}:
        return {"classes": value}
    return value


StorageClassField = Annotated[
    StorageClasses,
    BeforeValidator(
        _classes, json_schema_input_type=Literal["default", "keep"] | StorageClasses | dict[str, str]
    ),
]
