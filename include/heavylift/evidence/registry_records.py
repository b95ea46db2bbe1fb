"""The records that prove a registry's move: preflight, copy, sync, verification.

Each run's lie under ``<run>/~registries/<registry>/``. They hold counts, digests and ids; of what differs
the ids and names of fields, never a value.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import Finding, RunKey, utc_now
from heavylift.evidence.wording import counted

MAX_NAMED = 1000
"""How many differences a record names; the counts have all."""


def counted_things(number: int, what: str) -> str:
    """Return ``1 run``, ``12 metric histories``."""
    return counted(number, what, f"{what[:-1]}ies" if what.endswith("y") else "")


REGISTRIES_FOLDER = "~registries"
"""A dataset may have a registry's name; none can be called so, since ~ is encoded in its name."""


def registry_path(run: RunKey, registry: str, kind: str, number: int) -> str:
    """Return the path of a registry's ``number``-th record of a kind, from 1.

    :param kind: ``preflight``, ``copy``, ``sync``, ``registry-verification``.
    """
    return f"{run.folder}/{REGISTRIES_FOLDER}/{safe_segment(registry)}/{kind}-{number}.json"


class RegistryTable(Record):
    """One table's part in a run; of one that went through the interface, one sort of things.

    :param action: ``copied`` in this run, ``changed`` row by row, or ``unchanged``.
    :param kept: rows that have gone from the source and stay on the target.
    :param digest: of the target's rows after it, as counted and digested by the server; empty for a sort.
    """

    table: str
    action: Literal["copied", "changed", "unchanged"]
    rows: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    kept: int = 0
    size_bytes: int = 0
    digest: str = ""


class RegistryLoss(Record):
    """Something that the interface cannot carry, and that is kept nowhere.

    :param what: the sort of thing that it is of.
    :param count: how many; 0 where the interface does not even tell that.
    :param examples: ids of a few.
    """

    what: str
    item: str
    reason: str
    count: int = 0
    examples: tuple[str, ...] = ()


class RegistryKept(Record):
    """Fields that the interface gives anew; the source's values are kept as tags ``heavylift.source.*``."""

    what: str
    fields: tuple[str, ...]


class RegistryFailure(Record):
    """Something that was not moved, or that stays as somebody else has made it on the target."""

    what: str
    id: str
    reason: str
    code: str = ""


class RegistryIdMap(Record):
    """Which thing of the source is which on the target; the same stands in the target's tags.

    :param registered_models: by name; the same unless another thing had it.
    """

    schema_version: Literal["heavylift/registry-ids/v1"] = "heavylift/registry-ids/v1"
    run: RunKey
    registry: str
    experiments: dict[str, str]
    runs: dict[str, str]
    logged_models: dict[str, str]
    evaluation_datasets: dict[str, str]
    registered_models: dict[str, str]


class RegistryPreflightRecord(Record):
    """What stands in the way of moving a registry; nothing has been changed.

    :param path: ``store``, ``api``, ``catalogue`` (registered models, where a side is not MLflow),
        ``features`` (a feature store), or empty
        where none is open.
    :param path_reason: why, in a sentence.
    :param sorts: for ``api`` and ``catalogue``: what would be done to each sort of things.
    :param kept_as_tags: what arrives as tags only.
    :param losses: what does not arrive.
    :param copied: a copy of it is complete on the target, so that a sync can go on from there.
    """

    schema_version: Literal["heavylift/registry-preflight/v1"] = "heavylift/registry-preflight/v1"
    run: RunKey
    registry: str
    checked_at: datetime = Field(default_factory=utc_now)
    source: str
    target: str
    source_version: str = ""
    target_version: str = ""
    path: Literal["store", "api", "catalogue", "features", ""] = ""
    path_reason: str
    sorts: tuple[RegistryTable, ...] = ()
    kept_as_tags: tuple[RegistryKept, ...] = ()
    losses: tuple[RegistryLoss, ...] = ()
    tables: int = 0
    row_estimate: int = 0
    size_bytes: int = 0
    uris: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    copied: bool = False
    passed: bool


class RegistryLeftover(Record):
    """Rows of one column in which a prefix of the source still stands."""

    table: str
    column: str
    prefix: str
    rows: int


class RegistryMoveRecord(Record):
    """What one run did to the target, whose store is now the source's at one moment.

    Through the interface there is no one moment: ``source_moment`` is when reading began, ``tables`` are
    sorts of things, ``written`` is 0 only if nothing at all was sent.

    Adds up: each table is copied, changed or unchanged, and every digest was compared with the source's
    before its transaction ended.

    :param source_moment: the moment of the source, all tables alike.
    :param written: rows inserted, updated and deleted; 0 means that nothing was written at all.
    :param sequences: counters that were set.
    :param kept_as_tags: what arrived as tags only.
    :param losses: what did not arrive.
    :param failures: what was refused, up to the number that a record names.
    :param fallbacks: routes that a server lacks, and what was done instead.
    :param passed: nothing failed, and nothing is lost, or that was accepted.
    """

    schema_version: Literal["heavylift/registry-move/v1"] = "heavylift/registry-move/v1"
    run: RunKey
    registry: str
    act: Literal["copy", "sync"]
    path: Literal["store", "api", "catalogue", "features"] = "store"
    source: str
    target: str
    store_version: str
    source_moment: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    tables: tuple[RegistryTable, ...]
    rows: int
    inserted: int
    updated: int
    deleted: int
    kept: int
    written: int
    sequences: dict[str, int] = Field(default_factory=dict)
    uris: tuple[tuple[str, str], ...] = ()
    leftovers: tuple[RegistryLeftover, ...] = ()
    findings: tuple[Finding, ...] = ()
    kept_as_tags: tuple[RegistryKept, ...] = ()
    losses: tuple[RegistryLoss, ...] = ()
    failures: tuple[RegistryFailure, ...] = ()
    failure_count: int = 0
    fallbacks: tuple[str, ...] = ()
    passed: bool = True
    dry_run: bool = False
    seconds: float

    @property
    def started_at(self) -> datetime:
        """When the run began."""
        return self.ended_at - timedelta(seconds=self.seconds)


class RegistryDifference(Record):
    """One thing that is not equal: ``missing`` on the target, ``extra`` there, or ``different``.

    :param what: ``experiment``, ``run``, ``metric``, ``model version``, ``artifact``, …
    :param id: its id or name.
    :param fields: the names of the fields that differ.
    """

    what: str
    id: str
    kind: Literal["missing", "extra", "different"]
    fields: tuple[str, ...] = ()


class RegistryCompared(Record):
    """How many things of one sort were compared through the public interface.

    :param newer: those of the unequal ones that changed on the source between two readings.
    :param kept: those of the unequal ones of which only the target has a part, or all, which has gone from
        the source and is to stay.
    """

    what: str
    source: int
    target: int
    equal: int
    different: int = 0
    missing: int = 0
    extra: int = 0
    newer: int = 0
    kept: int = 0


class RegistryTableProof(Record):
    """One table's digests, computed by both servers; ``equal`` after URIs are rewritten.

    :param kept: rows that only the target has, which have gone from the source and are to stay; all others
        are equal.
    """

    table: str
    source: str
    target: str
    equal: bool
    kept: int = 0


class RegistryVerificationRecord(Record):
    """The independent proof: both servers read through their public interface, field by field.

    Adds up for each sort: ``source = equal + different + missing``, ``target = equal + different + extra``.

    :param difference_count: of all that are neither ``newer`` nor ``kept``.
    :param live: the source was written to meanwhile: what differed was synced and looked at again, and the
        tables were compared at the moment that the target was brought to.
    :param tables: the second proof, by the databases; empty where they may not be used.
    :param unread: what the interface could not be asked for, and so was not compared by it.
    :param contents_compared: artifacts were compared by their bytes, and not by names and sizes alone.
    """

    schema_version: Literal["heavylift/registry-verification/v1"] = "heavylift/registry-verification/v1"
    run: RunKey
    registry: str
    source: str
    target: str
    verified_at: datetime = Field(default_factory=utc_now)
    compared: tuple[RegistryCompared, ...]
    differences: tuple[RegistryDifference, ...] = ()
    difference_count: int
    tables: tuple[RegistryTableProof, ...] = ()
    unread: tuple[str, ...] = ()
    artifacts_compared: bool
    contents_compared: bool = True
    live: bool = False
    statement: str
    passed: bool
    seconds: float


class RegistrySwitchRecord(Record):
    """A followed registry's clients were let onto the other side.

    :param to: the side that may be written to since.
    :param already: it was so before; nothing was changed.
    :param frozen_seconds: for so long neither side took a client's writes.
    :param steps: seconds of each step, in their order.
    :param tables: the proof by both databases while nobody wrote; empty where it was left out.
    """

    schema_version: Literal["heavylift/registry-switch/v1"] = "heavylift/registry-switch/v1"
    run: RunKey
    registry: str
    to: Literal["source", "target"]
    epoch: int
    already: bool = False
    applied_position: str = ""
    frozen_seconds: float = 0.0
    steps: dict[str, float] = Field(default_factory=dict)
    tables: tuple[RegistryTableProof, ...] = ()
    ended_at: datetime = Field(default_factory=utc_now)
