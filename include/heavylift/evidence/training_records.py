"""The records of translated training jobs: what changed and why, what is needed, what blocks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import RunKey, utc_now


class TrainingChange(Record):
    """One thing that the target's definition has in another form, with its reason and a source."""

    subject: str
    old: str
    new: str
    reason: str
    source: str = ""


class TrainingRemark(Record):
    """One thing that is lost, needed or in the way, with what to do about it."""

    subject: str
    what: str
    remedy: str


class TrainingShape(Record):
    """How a job is spread.

    :param global_batch: samples of one step of the optimiser; None where no parameter tells them.
    """

    form: str
    cluster: str = ""
    machine: str
    nodes: int
    processes: int
    accumulation: int
    world: int
    global_batch: int | None = None


class TrainingRecord(Record):
    """One translation of one job.

    :param digest: SHA-256 of the target's definition.
    :param exact: the number of processes or the batch is the source's.
    :param checked: what the published form of the target said; None where nothing was asked.
    :param rehearsed: both launchers gave every process the same place; None where none was run.
    :param bandwidths: what is published of the target's network, with sources.
    """

    schema_version: Literal["heavylift/training/v1"] = "heavylift/training/v1"
    run: RunKey
    name: str
    file: str
    made_at: datetime = Field(default_factory=utc_now)
    source: TrainingShape
    target: TrainingShape
    exact: bool
    digest: str
    changes: tuple[TrainingChange, ...] = ()
    losses: tuple[TrainingRemark, ...] = ()
    needs: tuple[TrainingRemark, ...] = ()
    blocks: tuple[TrainingRemark, ...] = ()
    bandwidths: tuple[dict[str, Any], ...] = ()
    checked: str | None = None
    rehearsed: bool | None = None
    passed: bool

    @property
    def counts(self) -> dict[str, int]:
        """The figures by name."""
        return {name: len(getattr(self, name)) for name in ("changes", "losses", "needs", "blocks")}
