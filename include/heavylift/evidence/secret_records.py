"""The records of moved secrets: names, versions and outcomes; no value, no digest of one, no length."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import RunKey, utc_now

SECRETS_FOLDER = "~secrets"

Outcome = Literal[
    "created", "updated", "equal", "skipped", "different", "missing", "refused", "failed",
    "to_create", "to_update",
]  # fmt: skip
PROVED: frozenset[str] = frozenset({"created", "updated", "equal"})
"""Outcomes after which both sides were compared and are equal."""
NOT_PROVED: frozenset[str] = frozenset({"different", "missing", "refused", "failed"})
"""Outcomes that let a move fail."""


class SecretRow(Record):
    """What became of one secret.

    :param equal: both values were compared in memory and are the same; None where they were not compared.
    :param form: whether its value is text or bytes; empty where it was not read.
    :param key: the target's key that encrypts it; empty: the platform's own.
    :param rotation: how the source rotates it; nobody does on the target. ``expires`` likewise.
    """

    source: str
    source_store: str
    target: str
    outcome: Outcome
    equal: bool | None = None
    airflow: str = ""
    form: Literal["text", "bytes", ""] = ""
    source_version: str = ""
    target_version: str = ""
    key: str = ""
    rotation: str = ""
    expires: str = ""
    reason: str = ""
    remedy: str = ""
    code: str = ""


class SecretsRecord(Record):
    """One move, or one comparison.

    Adds up: ``found = created + updated + equal + skipped + failed + planned``.

    :param act: what was done.
    :param found: chosen secrets of the source.
    :param failed: refused, denied, missing or different.
    :param planned: what a dry run would write.
    """

    schema_version: Literal["heavylift/secrets/v1"] = "heavylift/secrets/v1"
    run: RunKey
    act: Literal["list", "copy", "verify"]
    started_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    source: str
    target: str
    target_store: str
    found: int
    created: int
    updated: int
    equal: int
    skipped: int
    failed: int
    planned: int
    digest: str
    passed: bool
    rows: tuple[SecretRow, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The figures by name."""
        names = ("found", "created", "updated", "equal", "skipped", "failed", "planned")
        return {name: getattr(self, name) for name in names}


def secrets_path(run: RunKey, act: str, number: int) -> str:
    """Return the path of a run's ``number``-th record of an act, from 1."""
    return f"{run.folder}/{SECRETS_FOLDER}/{act}-{number}.json"
