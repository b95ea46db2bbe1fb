"""The base of all records of evidence, and what most of them are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of all records: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class EvidenceRef(Record):
    """Points to one evidence file and fixes its content.

    :param path: relative to the evidence store's root.
    """

    path: str
    sha256: str
    size_bytes: int


RECHECK = "recheck"
"""A plan's action on an object of equal bytes whose attributes are compared because that is asked for."""


class Tally(Record):
    """A number of objects and their bytes."""

    objects: int = 0
    size_bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(objects=self.objects + other.objects, size_bytes=self.size_bytes + other.size_bytes)
