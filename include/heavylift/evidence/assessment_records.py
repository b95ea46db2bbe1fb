"""The record of an assessment: what was looked at, what stands in the way, and the plan that came of it.

The plan itself lies beside it, as a document with its digest; the record has what gates, pictures and the
status of a migration need of it, and does not grow with the number of components.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.assess_records import (
    Costs,
    Duration,
    Finding,
    Risk,
    Scenario,
    Severity,
    TargetChoice,
    Wave,
)
from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.inventory_records import ASSESS_FOLDER
from heavylift.evidence.records import RunKey, utc_now


def assess_folder(run: RunKey) -> str:
    """Return the folder of a run's assessments; no dataset's can be called so."""
    return f"{run.folder}/{ASSESS_FOLDER}"


def assessment_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th :class:`AssessmentRecord`, from 1."""
    return f"{assess_folder(run)}/assessment-{number}.json"


def plan_document_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th plan, from 1."""
    return f"{assess_folder(run)}/plan-{number}.json"


class LeftBehind(Record):
    """Something that holds data and that the spec does not move, or not as a whole.

    :param size_bytes: None where nobody knows it.
    :param moves: what of it moves, in words; empty where nothing does.
    :param accepted: why that is all right; empty where nobody said.
    """

    component: str
    kind: str
    size_bytes: int | None
    moves: str = ""
    accepted: str = ""


class Gap(Record):
    """Something that the inventory could not read.

    :param accepted: why that is all right; empty where nobody said.
    """

    subject: str
    rule: str
    detail: str
    remedy: str
    region: str = ""
    accepted: str = ""


class OutsideTold(Record):
    """Something outside the inventory that components refer to, unexplained."""

    target: str
    why: str
    component: str
    field: str
    references: int = 1


class RuleTold(Record):
    """How often one rule spoke, with the first component that it spoke of.

    :param accepted: how many of its findings somebody has accepted.
    """

    rule: str
    severity: Severity
    count: int
    accepted: int = 0
    first: Finding


class Node(Record):
    """One box of the picture.

    :param title: what it stands for, in full.
    :param count: how many components it stands for.
    """

    id: str
    label: str
    title: str
    capability: str
    wave: int
    count: int = 1


class Arrow(Record):
    """``count`` dependencies: ``source`` is needed by ``target``; both are ids of nodes."""

    source: str
    target: str
    count: int = 1


class GraphPicture(Record):
    """The dependency graph, small enough to be looked at.

    :param single: whether each box is one component; otherwise those of one wave and capability.
    :param hidden_nodes: boxes that are left out; ``hidden_arrows`` likewise.
    """

    nodes: tuple[Node, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    single: bool = True
    hidden_nodes: int = 0
    hidden_arrows: int = 0


class JobBaseline(Record):
    """How long jobs of one type took on the source, by its own records.

    :param jobs: that have completed.
    :param machine_hours: of all of them together: duration times machines.
    :param usd: what these hours cost by the table's on-demand price of the machine; None where it has none.
        A managed service bills more for the same machine, and spot or commitments less.
    :param price: of which hour that is, with its day and source; empty without one.
    """

    native_type: str
    instance_type: str
    jobs: int
    median_seconds: float
    p95_seconds: float
    machine_hours: float
    usd: float | None = None
    price: str = ""


class AssessmentRecord(Record):
    """What an assessment found, and the plan that came of it.

    Adds up: ``outside = explained + unexplained``, ``blockers = accepted_blockers + open_blockers``.

    :param inventory: the record that it was made from, ``also`` those of what is beside the source;
        ``graph`` likewise.
    :param plan: the plan as a document; ``plan_digest`` is its digest, which is what is approved.
    :param baselines: how long jobs took on the source; ``baselines_wanted`` are the connections of endpoints
        that are to be measured, ``golden_wanted`` those of them whose predictions are to be judged as well.
    :param carried: digest of what the spec moved when the plan was made
        (:func:`heavylift.spec.carried.carried_digest`).
    :param input: what the plan was made from; ``heavylift plan`` makes the same plan of it.
    :param unknown_sizes: components whose size nobody knows.
    :param gaps: what the inventory could not read; ``open_gaps`` of them are not accepted.
    :param left_behind: the first of ``left_count`` components that hold data and do not move, or not as a
        whole; ``open_left`` of them nobody has accepted.
    :param unused: acceptances and entries of the spec that have met nothing.
    :param deadline_kept: it ends nine times in ten, and by the deadline where there is one.
    """

    schema_version: Literal["heavylift/assessment/v1"] = "heavylift/assessment/v1"
    run: RunKey
    connection: str
    account: str
    source: str
    target: str
    start: str
    made_at: datetime = Field(default_factory=utc_now)
    inventory: EvidenceRef
    graph: EvidenceRef
    input: EvidenceRef
    plan: EvidenceRef
    plan_digest: str
    carried: str = ""
    components: int
    also: tuple[EvidenceRef, ...] = ()
    kinds: dict[str, int]
    dependencies: int
    size_bytes: int
    unknown_sizes: int
    unknown_changes: int
    gaps: tuple[Gap, ...] = ()
    open_gaps: int = 0
    outside: int
    explained: int
    unexplained: int
    left_behind: tuple[LeftBehind, ...] = ()
    left_count: int = 0
    open_left: int = 0
    outside_told: tuple[OutsideTold, ...] = ()
    rules: tuple[RuleTold, ...] = ()
    blockers: int
    accepted_blockers: int
    open_blockers: int
    blockers_told: tuple[Finding, ...] = ()
    unused: tuple[str, ...] = ()
    treatments: dict[str, int]
    strategies: dict[str, int]
    wave_count: int
    waves: tuple[Wave, ...] = ()
    duration: Duration
    costs: Costs
    choice: TargetChoice
    scenarios: tuple[Scenario, ...] = ()
    risks: tuple[Risk, ...] = ()
    assumptions: tuple[str, ...] = ()
    deadline_days: float | None = None
    deadline_kept: bool
    met: bool
    unmet: tuple[str, ...] = ()
    picture: GraphPicture = GraphPicture()
    baselines_wanted: tuple[str, ...] = ()
    golden_wanted: tuple[str, ...] = ()
    utilisation_wanted: tuple[str, ...] = ()
    quotas: tuple[EvidenceRef, ...] = ()
    baselines: tuple[JobBaseline, ...] = ()
    seconds: float
