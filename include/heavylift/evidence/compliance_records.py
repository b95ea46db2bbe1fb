"""What scans for personal data found, and how the rules judge the path of the data.

They lie under ``<migration>/compliance/``, for they hold for all runs of a migration. A record has counts,
columns and shapes; no value that was found is ever in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import utc_now

COMPLIANCE = "compliance"
"""The folder of all of it, beside those of the phases."""

Outcome = Literal["kept", "broken", "excepted", "unknown"]
"""What a rule comes to: ``unknown`` where what it asks is not told, which does not pass either."""


def scan_path(migration: str, subject: str, number: int) -> str:
    """Return the path of the ``number``-th scan of a subject, from 1."""
    return f"{migration}/{COMPLIANCE}/scans/{safe_segment(subject)}/scan-{number}.json"


def scans_folder(migration: str) -> str:
    """Return the folder of all scans of a migration."""
    return f"{migration}/{COMPLIANCE}/scans"


def check_path(migration: str, number: int) -> str:
    """Return the path of the ``number``-th judgement of the rules, from 1."""
    return f"{migration}/{COMPLIANCE}/checks/check-{number}.json"


def controls_path(migration: str, number: int, kind: Literal["json", "html"]) -> str:
    """Return the path of the ``number``-th report on controls, from 1."""
    return f"{migration}/{COMPLIANCE}/reports/controls-{number}.{kind}"


class EntityFound(Record):
    """One kind of personal data in one column.

    :param column: heading or path of the field; empty for text without columns.
    :param hits: values that held; ``candidates`` had the shape.
    :param by_heading: hits that rest on the column's name.
    :param values: values of the column that were looked at.
    :param share_low: of the values, at 95 %; ``share_high`` the same upwards.
    :param mask: the shape of the first, letters as a and digits as 9.
    :param places: the first rows, as ``<object>#<unit>:<row>``.
    """

    column: str
    entity: str
    confidence: float
    hits: int
    candidates: int
    by_heading: int
    values: int
    share_low: float
    share_high: float
    mask: str
    places: tuple[str, ...]


class ColumnScanned(Record):
    """A column: how much of it was looked at, and how much of it may hold what was not seen.

    :param missed_bound: at 95 %, on the share of its values, had they been drawn one by one.
    """

    column: str
    values: int
    missed_bound: float


class NotScanned(Record):
    """Objects or columns that nobody looked into, and why."""

    what: str
    reason: str
    count: int
    size_bytes: int = 0


class Opinion(Record):
    """What Presidio makes of the candidates of one column.

    :param kind: as Presidio calls it; ``entity`` as we do.
    :param asked: values that it was asked about; in ``agreed`` of them it saw that kind.
    """

    column: str
    kind: str
    entity: str
    asked: int
    agreed: int


class ScanRecord(Record):
    """What one scan found in a dataset or in a table.

    ``units`` were drawn of ``units_total``: row groups, blocks of text, compressed files, rows of a table.

    :param unit: what a unit is.
    :param everything: all units were read.
    :param missed_bound: at 95 %, on the share of units that hold what no drawn one held; 0 where all were
        read. It tells of chance in drawing, not of what the detector cannot know.
    :param found: those whose confidence is enough to be judged; ``unsure`` those below.
    :param opinions: what Presidio saw, where it was asked; what it saw counts in ``classes``.
    :param classes: what the dataset counts as.
    """

    schema_version: Literal["heavylift/compliance-scan/v1"] = "heavylift/compliance-scan/v1"
    migration: str
    subject: str
    url: str
    scanned_at: datetime = Field(default_factory=utc_now)
    seed: int
    unit: str
    units: int
    units_total: int
    everything: bool
    missed_bound: float
    objects: int
    objects_total: int
    bytes_read: int
    values: int
    found: tuple[EntityFound, ...]
    unsure: tuple[EntityFound, ...]
    columns: tuple[ColumnScanned, ...]
    columns_left_out: int = 0
    not_scanned: tuple[NotScanned, ...]
    unparsed_rows: int
    opinions: tuple[Opinion, ...] = ()
    asked_for_opinion: bool = False
    classes: tuple[str, ...]
    lacks: tuple[str, ...]
    complete: bool
    statement: str
    took_seconds: float


class RuleOutcome(Record):
    """One rule on one leg of the path.

    :param subject: the dataset, database, stream or registry.
    :param leg: source, target, staging, evidence, logs, device.
    """

    rule: str
    framework: str
    subject: str
    leg: str
    outcome: Outcome
    detail: str
    remedy: str
    exception: str = ""


class ExceptionUsed(Record):
    """An exception of the spec that let a broken rule pass."""

    rule: str
    reason: str
    approver: str
    expires: str
    subjects: tuple[str, ...]


class InheritedClass(Record):
    """One class that something has from what it is derived of.

    :param subject: its name in the spec; else that of a component, with its ``kind`` and ``component`` id.
    :param chain: from what holds the class, each step with the relation and how sure it is.
    :param confidence: of the least sure step; it counts, whatever it is.
    """

    subject: str
    data_class: str
    chain: tuple[str, ...]
    confidence: float
    kind: str = ""
    component: str = ""


class DeclassificationUsed(Record):
    """A statement of the spec that kept classes from being inherited.

    :param kept_from: what they did not come to, the first ones; ``count`` of all.
    """

    subject: str
    classes: tuple[str, ...]
    reason: str
    approver: str
    expires: str
    kept_from: tuple[str, ...]
    count: int


class ComplianceRecord(Record):
    """The rules over the whole path of everything that a spec moves.

    :param digest: of what the spec moves and of its rules; a result of another digest does not count.
    :param scans: those that were judged with.
    :param inherited: classes that came along the graph or statements, the first ones; ``inherited_count`` of
        all. They are in ``classes``, too.
    :param graph: of assess, along which classes flow; None where the evidence store has none.
    :param graph_told: of when it is and what it leaves open, in words.
    """

    schema_version: Literal["heavylift/compliance-check/v1"] = "heavylift/compliance-check/v1"
    migration: str
    checked_at: datetime = Field(default_factory=utc_now)
    digest: str
    frameworks: tuple[str, ...]
    outcomes: tuple[RuleOutcome, ...]
    exceptions: tuple[ExceptionUsed, ...]
    scans: tuple[EvidenceRef, ...]
    classes: dict[str, tuple[str, ...]]
    inherited: tuple[InheritedClass, ...] = ()
    inherited_count: int = 0
    declassified: tuple[DeclassificationUsed, ...] = ()
    graph: EvidenceRef | None = None
    graph_connection: str = ""
    graph_told: str = ""
    kept: int
    broken: int
    excepted: int
    unknown: int
    passed: bool
    statement: str
