"""The records that prove a feature store's move, besides those of registries.

Each run's lie under ``<run>/~features/<store>/``. They hold counts, digests, and of what differs keys and
names of features, never a value of a feature.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.registry_records import RegistryCompared, RegistryDifference

FEATURES_FOLDER = "~features"


def feature_path(run: RunKey, store: str, kind: str, number: int) -> str:
    """Return the path of a feature store's ``number``-th record of a kind, from 1.

    :param kind: ``preflight``, ``copy``, ``verification``.
    """
    return f"{run.folder}/{FEATURES_FOLDER}/{safe_segment(store)}/{kind}-{number}.json"


class HistorySummary(Record):
    """A whole history on one side.

    :param digest: of all rows whatever their order, cast to the target's types; equal for equal rows within
        one verification.
    """

    rows: int
    keys: int
    first: str
    last: str
    digest: str


class FeatureHistoryProof(Record):
    """The offline history of one view; rows add up as for all that is compared.

    :param lacking: features that the files of a side do not have.
    """

    view: str
    source: HistorySummary
    target: HistorySummary
    equal: int
    different: int
    missing: int
    extra: int
    lacking: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    passed: bool


class FeatureOnlineProof(Record):
    """Sampled keys read from both online stores.

    Adds up: ``sampled = equal + different + missing + extra + expired + absent``.

    :param expired: the newest row is older than either side's time to live: nothing is concluded.
    :param absent: neither side serves the key.
    :param bound: where nothing differs: at most this part of all keys does, at 95 % (3/n).
    """

    view: str
    seed: int
    sampled: int
    equal: int
    different: int
    missing: int
    extra: int
    expired: int
    absent: int
    bound: float | None = None
    passed: bool


class FeatureJoinProof(Record):
    """Joins by time of a sampled frame with both histories.

    :param rows: of the frame; ``filled`` of them found any feature.
    :param own_rows: rows that the target itself gave for the frame, of those that it leaves out none may have
        a feature; None where it cannot join.
    :param own_different: of these, rows that differ from the join here.
    """

    view: str
    seed: int
    rows: int
    filled: int
    different: int
    own_rows: int | None = None
    own_different: int = 0
    passed: bool


class FeatureVerificationRecord(Record):
    """The independent proof of a feature store: everything is read afresh on both sides.

    :param compared: definitions, field by field.
    :param difference_count: of definitions, rows, served keys and joins together.
    """

    schema_version: Literal["heavylift/feature-verification/v1"] = "heavylift/feature-verification/v1"
    run: RunKey
    store: str
    source: str
    target: str
    verified_at: datetime = Field(default_factory=utc_now)
    compared: tuple[RegistryCompared, ...]
    histories: tuple[FeatureHistoryProof, ...] = ()
    online: tuple[FeatureOnlineProof, ...] = ()
    joins: tuple[FeatureJoinProof, ...] = ()
    differences: tuple[RegistryDifference, ...] = ()
    difference_count: int
    statement: str
    passed: bool
    seconds: float
