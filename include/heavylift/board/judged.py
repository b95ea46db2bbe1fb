"""Models on both sides, latency and cost before and after: what was measured, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from heavylift.board.listing import Listing
from heavylift.board.reader import Reader
from heavylift.board.switched import SwitchView
from heavylift.evidence.assess_records import CostLine
from heavylift.evidence.assessment_records import AssessmentRecord
from heavylift.evidence.baseline_records import EndpointBaseline, StepRecord
from heavylift.evidence.estimates import Money
from heavylift.evidence.inventory_records import ASSESS_FOLDER
from heavylift.evidence.model_records import ModelComparisonRecord
from heavylift.evidence.parsing import RecordT
from heavylift.spec import MigrationSpec

_SHOWN = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class ModelLine:
    """The last comparison of one version of a model.

    :param points: pairs of answers, for the picture.
    """

    name: str
    passed: bool
    statement: str
    rows: int
    mismatched: int
    compared_at: datetime
    reasons: tuple[str, ...]
    points: tuple[tuple[float, float], ...]
    path: str


@dataclass(frozen=True)
class LatencyLine:
    """One quantile before and after, in milliseconds; None where that side was not measured.

    :param where: what was measured, and how.
    """

    where: str
    quantile: str
    before: float | None
    after: float | None
    path: str

    @property
    def ratio(self) -> float | None:
        """How many times as long the target takes."""
        return self.after / self.before if self.before and self.after is not None else None


@dataclass(frozen=True)
class CostLineView:
    """What a thousand predictions cost before and after, as decimal text; empty where nobody measured."""

    where: str
    before: str
    after: str
    currency: str
    basis: str
    path: str


@dataclass(frozen=True)
class PlanView:
    """What the newest plan says of the move itself."""

    path: str
    made_at: datetime
    days: tuple[float | None, float | None, float | None]
    deadline_kept: bool
    total: Money
    lines: tuple[CostLine, ...]
    unknown: tuple[str, ...]
    record: AssessmentRecord


@dataclass(frozen=True)
class Judged:
    """All comparisons of a migration."""

    models: tuple[ModelLine, ...] = ()
    latency: tuple[LatencyLine, ...] = ()
    cost: tuple[CostLineView, ...] = ()
    plan: PlanView | None = None


async def read_judged(
    reader: Reader, listing: Listing, spec: MigrationSpec, switch: SwitchView | None
) -> Judged:
    """Return what was measured of models and endpoints on both sides, the newest of each."""
    comparisons = await _newest(
        reader, listing, "~models/[^/]+/[^/]+/model-comparison-", ModelComparisonRecord
    )
    baselines = await _newest(reader, listing, "~baselines/[^/]+/endpoint-baseline-", EndpointBaseline)
    ends = {record.connection: (path, record) for path, record in baselines.values()}
    latency = [
        *_endpoints(spec, ends),
        *_canary(switch),
        *(line for path, record in comparisons.values() for line in _model_latency(path, record)),
    ]
    return Judged(
        models=tuple(_model(path, record) for path, record in comparisons.values()),
        latency=tuple(latency),
        cost=tuple(_costs(spec, ends)),
        plan=await _plan(reader, listing),
    )


async def _newest(
    reader: Reader, listing: Listing, name: str, model: type[RecordT]
) -> dict[str, tuple[str, RecordT]]:
    """Return the newest record of each folder's place in its run; later runs count."""
    paths: dict[str, str] = {}
    for run in listing.runs:
        for path in listing.newest(run.key.folder, name):
            paths[path.removeprefix(run.key.folder).rpartition("/")[0]] = path
    read = dict(await reader.records(paths.values(), model))
    return {place: (path, read[path]) for place, path in sorted(paths.items()) if path in read}


def _model(path: str, record: ModelComparisonRecord) -> ModelLine:
    name = f"{record.model} {record.version}".strip()
    return ModelLine(
        name, record.passed, record.statement, record.rows, record.mismatched, record.compared_at,
        record.reasons, record.points, path,
    )  # fmt: skip


def _model_latency(path: str, record: ModelComparisonRecord) -> list[LatencyLine]:
    if record.latency is None:
        return []
    where = f"model {record.model} {record.version}".strip()
    return [
        LatencyLine(where, name, source, target, path)
        for name, (source, target, *_) in record.latency.quantiles.items()
    ]


def _canary(switch: SwitchView | None) -> list[LatencyLine]:
    if switch is None or not switch.verdicts:
        return []
    last = switch.verdicts[-1]
    return [
        LatencyLine(f"live requests, canary step {last.step}", _quantile(name), source, target, last.path)
        for name, source, target in last.latency
    ]


def _quantile(name: str) -> str:
    try:
        return f"p{float(name) * 100:g}"
    except ValueError:
        return name


_Ends = dict[str, tuple[str, EndpointBaseline]]


def _pairs(spec: MigrationSpec, ends: _Ends) -> list[tuple[str, str, str]]:
    """Return name, source's and target's connection of each endpoint that was measured."""
    named = [
        (each.name, each.source.connection if each.source else "", each.target.connection)
        for each in spec.endpoints
    ]
    known = {connection for _, *pair in named for connection in pair}
    return [pair for pair in named if pair[1] in ends or pair[2] in ends] + [
        (connection, connection, "") for connection in ends if connection not in known
    ]


def _endpoints(spec: MigrationSpec, ends: _Ends) -> list[LatencyLine]:
    found = []
    for name, source, target in _pairs(spec, ends):
        before, after = (_best(ends[each][1]) if each in ends else None for each in (source, target))
        path = ends[target if target in ends else source][0]
        rate = before or after
        where = f"endpoint {name}, {rate.rate:g} requests a second" if rate else f"endpoint {name}"
        for at in _SHOWN:
            one, other = _at(before, at), _at(after, at)
            if one is not None or other is not None:
                found.append(LatencyLine(where, f"p{at * 100:g}", one, other, path))
    return found


def _best(baseline: EndpointBaseline) -> StepRecord | None:
    """Return the highest rate that was sustained, which says most about an endpoint."""
    steps = [step for step in baseline.steps if step.sustained]
    return max(steps, key=lambda step: step.rate, default=None)


def _at(step: StepRecord | None, quantile: float) -> float | None:
    figures = step.quantiles if step else ()
    return next((each.ms for each in figures if each.quantile == quantile), None)


def _costs(spec: MigrationSpec, ends: _Ends) -> list[CostLineView]:
    found = []
    for name, source, target in _pairs(spec, ends):
        costs = [ends[each][1].cost if each in ends else None for each in (source, target)]
        known = next((cost for cost in reversed(costs) if cost), None)
        if known is None:
            continue
        before, after = (cost.per_thousand if cost else "" for cost in costs)
        path = ends[target if target in ends else source][0]
        found.append(CostLineView(f"endpoint {name}", before, after, known.currency, known.basis, path))
    return found


async def _plan(reader: Reader, listing: Listing) -> PlanView | None:
    paths = [
        path
        for run in listing.runs
        if run.key.phase == "assess"
        for path in listing.numbered(f"{run.key.folder}/{ASSESS_FOLDER}", "assessment-")
    ]
    found = await reader.last(paths, AssessmentRecord)
    if found is None:
        return None
    path, record = found
    spans = record.duration
    return PlanView(
        path=path,
        made_at=record.made_at,
        days=(spans.p10, spans.p50, spans.p90),
        deadline_kept=record.deadline_kept,
        total=record.costs.total,
        lines=record.costs.lines,
        unknown=record.costs.unknown,
        record=record,
    )
