"""What machines use of what they have: one series for each component and resource, with quantiles and gaps.

A record lies under ``<run>/~utilisation/<connection>/``; the values lie as Parquet beside it, one file for
each component, in the form that ``optimize``'s rightsizing reads.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.canonical import sha256_hex
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey, Severity, utc_now

UTILISATION_FOLDER = "~utilisation"
USES = ("cpu", "memory", "gpu", "gpu_memory")
"""The resources that are read; also the columns of a series' file, with ``<resource>_peak`` beside each."""

GAPS = frozenset({"permission_missing", "no_answer", "not_supported", "too_many", "no_reader"})
"""Rules of findings that tell of something that could have been known."""

Use = Literal["cpu", "memory", "gpu", "gpu_memory"]
Unit = Literal["share", "cores", "bytes", "percent of one"]
"""``share`` of what there is, from 0; the others where nobody tells how much there is."""


def utilisation_folder(run: RunKey, connection: str) -> str:
    """Return the folder of a run's utilisation, as one connection reads it."""
    return f"{run.folder}/{UTILISATION_FOLDER}/{safe_segment(connection)}"


def utilisation_path(run: RunKey, connection: str, number: int) -> str:
    """Return the path of the ``number``-th utilisation record of a connection in a run, from 1."""
    return f"{utilisation_folder(run, connection)}/utilisation-{number}.json"


def series_path(run: RunKey, connection: str, attempt: str, component: str) -> str:
    """Return the path of the values of one component, as one attempt has read them.

    An attempt that was killed leaves some without a record; the next one has a folder of its own.
    """
    name = sha256_hex(component.encode())[:20]
    return f"{utilisation_folder(run, connection)}/series-{attempt}/{name}.parquet"


class Gap(Record):
    """A time without values, within the time in which there should have been some."""

    start: datetime
    end: datetime


class UseSeries(Record):
    """One resource of one component.

    :param resolution_seconds: between two values; each is the mean (``peak``: the most) of that time.
    :param start: of the time that was asked for; a job's is that of the job.
    :param points: values that there were; ``expected`` is how many the time has room for.
    :param gaps: the longest ones, in the order of time; ``gap_share`` is of all of them.
    :param p50: of the means, as are p90, p95, p99 and largest; ``peak`` is the most of all peaks.
    :param line: means for a picture: at most 96, None where there was no value.
    :param metric: whence: the platform's own name.
    """

    use: Use
    unit: Unit
    metric: str
    resolution_seconds: int
    start: datetime
    end: datetime
    points: int
    expected: int
    gaps: tuple[Gap, ...] = ()
    gap_share: float
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    largest: float
    peak: float | None
    line: tuple[float | None, ...] = ()


class ComponentUse(Record):
    """All that is known of one component's use.

    :param file: the values, as Parquet with the columns ``at``, and of each resource mean and peak.
    """

    component: str
    name: str
    kind: str
    native_type: str
    instance_type: str = ""
    series: tuple[UseSeries, ...]
    file: EvidenceRef


class UseFinding(Record):
    """Why something is not known.

    :param components: how many it is about; ``first`` is one of them.
    """

    rule: Literal[
        "permission_missing", "no_answer", "not_supported", "not_published", "no_values", "unknown_size",
        "too_many", "no_reader",
    ]  # fmt: skip
    severity: Severity
    subject: str
    detail: str
    remedy: str
    permission: str = ""
    components: int = 0
    first: str = ""

    @property
    def is_gap(self) -> bool:
        """Tell whether something was refused, not answered or left out; the rest only explains."""
        return self.rule in GAPS


class UtilisationRecord(Record):
    """The utilisation of one connection's components.

    Adds up: ``wanted = with_values + without_values + not_asked``.

    :param wanted: components whose type has machines.
    :param not_asked: left out beyond the bounds (``too_many``), or because nothing could be asked.
    :param complete: nothing was refused and nothing left unanswered.
    """

    schema_version: Literal["heavylift/utilisation/v1"] = "heavylift/utilisation/v1"
    run: RunKey
    platform: str
    connection: str
    inventory: EvidenceRef
    read_at: datetime = Field(default_factory=utc_now)
    start: datetime
    end: datetime
    resolution_seconds: int
    wanted: int
    with_values: int
    without_values: int
    not_asked: int
    components: tuple[ComponentUse, ...] = ()
    findings: tuple[UseFinding, ...] = ()
    complete: bool
    statement: str
    requests: int
    seconds: float
