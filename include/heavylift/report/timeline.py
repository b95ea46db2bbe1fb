"""The timeline of a run as SVG: plan, copy, deletion, proof and gates, one lane each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from markupsafe import Markup

from heavylift.evidence.assess_evidence import AssessEvidence
from heavylift.evidence.database_evidence import DatabaseEvidence
from heavylift.evidence.feature_evidence import FeatureEvidence
from heavylift.evidence.registry_evidence import RegistryEvidence
from heavylift.evidence.run_evidence import DatasetEvidence
from heavylift.evidence.stream_evidence import StreamEvidence
from heavylift.evidence.switch_evidence import SwitchEvidence
from heavylift.evidence.wording import counted, duration
from heavylift.report.scale import TimeScale
from heavylift.report.story import GateStory, RunStory
from heavylift.report.text import visible

WIDTH = 960
_LEFT, _RIGHT, _TOP, _LANE, _BAR, _ROW = 180, 24, 8, 34, 18, 7
_WORDS = 280
"""About the width of the words about a late mark."""
_MOST_ROWS = 12
_MOST_LANES = 24
_MOST_BARS = 300
_RECT = Markup(
    '<rect x="{}" y="{:.2f}" width="{:.2f}" height="{:.2f}" rx="2" class="bar {}"><title>{}</title></rect>'
)


@dataclass(frozen=True)
class Bar:
    """One span of work."""

    kind: str
    start: datetime
    end: datetime
    title: str


@dataclass(frozen=True)
class Mark:
    """One moment: a gate's evaluation or a person's answer."""

    kind: str
    time: datetime
    title: str


@dataclass(frozen=True)
class Lane:
    """One line of the timeline."""

    label: str
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = field(default=())


def lanes_of(story: RunStory) -> list[Lane]:
    """Return a lane for each dataset, for each database, stream and registry, and for each gate."""
    lanes = [Lane(each.dataset, merge_bars(tuple(_bars(each)))) for each in story.datasets]
    lanes += [Lane(each.database, merge_bars(tuple(_database_bars(each)))) for each in story.databases]
    lanes += [Lane(each.stream, merge_bars(tuple(_stream_bars(each)))) for each in story.streams]
    lanes += [Lane(each.registry, merge_bars(tuple(_registry_bars(each)))) for each in story.registries]
    lanes += [Lane(each.store, merge_bars(tuple(_registry_bars(each)))) for each in story.feature_stores]
    lanes += _assess_lanes(story.assess) if story.assess else []
    lanes += _switch_lanes(story.switch) if story.switch else []
    lanes += [Lane(gate.name, marks=tuple(_marks(gate))) for gate in story.gates]
    return [lane for lane in lanes if lane.bars or lane.marks]


def _bars(evidence: DatasetEvidence) -> Iterable[Bar]:
    if evidence.plan:
        plan = evidence.plan.record
        yield _until("plan", plan.created_at, plan.seconds, "Plan")
    for shard, attempts in sorted(evidence.attempts.items()):
        for kept in attempts:
            result = kept.record
            kind = "copy" if not (result.failed.objects or result.left.objects) else "bad"
            title = (
                f"Copy of shard {shard}, attempt {result.attempt}: {counted(result.moved.objects, 'object')}"
            )
            yield Bar(kind, result.started_at, result.ended_at, title)
    for number, attempt in enumerate(evidence.deletes_attempts, start=1):
        deletes = attempt.record
        title = f"Deletion, attempt {number}: {counted(deletes.planned.objects, 'object')}"
        yield Bar("bad" if deletes.failed.objects else "gone", deletes.started_at, deletes.ended_at, title)
    if evidence.verification:
        record = evidence.verification.record
        yield _until("proof" if record.passed else "bad", record.verified_at, record.seconds, "Verification")
    if evidence.check:
        check = evidence.check.record
        good = check.expectations_passed and check.profiles_equal
        yield _until("tables" if good else "bad", check.checked_at, check.seconds, "Table check")


def _database_bars(evidence: DatabaseEvidence) -> Iterable[Bar]:
    if evidence.snapshot:
        copied = evidence.snapshot.record
        title = f"Snapshot: {counted(copied.rows, 'row')}"
        yield Bar("copy", copied.started_at, copied.ended_at, title)
    for number, kept in enumerate(evidence.syncs, start=1):
        record = kept.record
        title = f"Sync {number}: {counted(record.changes, 'change')}"
        yield Bar("copy", record.started_at, record.ended_at, title)
    if evidence.drain:
        drain = evidence.drain.record
        yield Bar("copy" if drain.reached else "bad", drain.started_at, drain.ended_at, "Drain")
    if evidence.verification:
        proof = evidence.verification.record
        yield _until("proof" if proof.passed else "bad", proof.verified_at, proof.seconds, "Verification")


def _stream_bars(evidence: StreamEvidence) -> Iterable[Bar]:
    for number, kept in enumerate(evidence.mirrors, start=1):
        mirror = kept.record
        title = f"Mirror, attempt {number}: {counted(mirror.sent, 'record')}"
        yield Bar("copy" if mirror.complete else "bad", mirror.started_at, mirror.ended_at, title)
    if evidence.verification:
        proof = evidence.verification.record
        yield _until("proof" if proof.passed else "bad", proof.verified_at, proof.seconds, "Verification")


def _registry_bars(evidence: RegistryEvidence | FeatureEvidence) -> Iterable[Bar]:
    for kept in evidence.moves:
        move = kept.record
        title = f"{move.act.capitalize()}: {counted(move.written, 'row')} written"
        yield Bar("copy", move.started_at, move.ended_at, title)
    if evidence.verification:
        proof = evidence.verification.record
        yield _until("proof" if proof.passed else "bad", proof.verified_at, proof.seconds, "Verification")


def _assess_lanes(evidence: AssessEvidence) -> Iterable[Lane]:
    for kept in evidence.inventories:
        taken = kept.record
        title = f"Inventory: {counted(taken.component_count, 'component')}"
        # There is no room for more words; the legend says what is drawn.
        label = "inventory" if kept is evidence.inventory else taken.connection
        yield Lane(label, (Bar("copy", taken.began_at, taken.ended_at, title),))
    if evidence.graph:
        graph = evidence.graph.record
        yield Lane("graph", (_until("plan", graph.made_at, graph.seconds, "Graph"),))
    if evidence.assessment:
        made = evidence.assessment.record
        yield Lane("plan", (_until("plan", made.made_at, made.seconds, "Plan"),))


def _switch_lanes(evidence: SwitchEvidence) -> Iterable[Lane]:
    judged = tuple(
        _until("proof" if each.promoted else "bad", each.decided_at, each.took_seconds, f"Step {each.step}")
        for each in (kept.record for kept in evidence.canaries)
    )
    yield Lane("steps", judged)
    for number, kept in enumerate(evidence.switches, start=1):
        record = kept.record
        kind = "copy" if record.outcome in ("switched", "already") else "bad"
        title = f"Attempt {number} at switching writes: {record.outcome}"
        yield Lane(f"switch {number}", (Bar(kind, record.began_at, record.ended_at, title),))


def merge_bars(bars: tuple[Bar, ...], at_most: int = _MOST_BARS) -> tuple[Bar, ...]:
    """Join bars of one kind that overlap, where there are too many to be drawn one by one."""
    if len(bars) <= at_most:
        return bars
    merged: list[Bar] = []
    for bar in sorted(bars, key=lambda each: (each.kind, each.start)):
        last = merged[-1] if merged else None
        if last and last.kind == bar.kind and bar.start <= last.end:
            merged[-1] = Bar(bar.kind, last.start, max(last.end, bar.end), f"{bar.kind}, many at once")
        else:
            merged.append(bar)
    return tuple(merged)


def _until(kind: str, end: datetime, seconds: float, what: str) -> Bar:
    span = timedelta(seconds=seconds)
    return Bar(kind, end - span, end, f"{what}, {duration(span)}")


def _marks(gate: GateStory) -> Iterable[Mark]:
    for kept in gate.results:
        word = "passed" if kept.record.passed else "did not pass"
        yield Mark(
            "good" if kept.record.passed else "bad", kept.record.evaluated_at, f"Gate {gate.name} {word}"
        )
    for answer in gate.approvals:
        record = answer.record
        word = "approved" if record.approved else "rejected"
        title = f"{word} by {record.approver_name or record.approver_id}"
        yield Mark("person" if record.approved else "bad", record.responded_at, title)


@dataclass(frozen=True)
class Timeline:
    """A drawn timeline and the moment at its left end."""

    svg: Markup
    start: datetime


def draw_timeline(story: RunStory) -> Timeline | None:
    """Return the timeline, or None where nothing took time."""
    return draw_lanes(lanes_of(story))


def draw_lanes(lanes: list[Lane]) -> Timeline | None:
    """Return the timeline of ``lanes``, the first of them where there are many; None without a bar."""
    bars = [bar for lane in lanes for bar in lane.bars]
    if not bars:
        return None
    scale = TimeScale(min(bar.start for bar in bars), _end(lanes), _LEFT, WIDTH - _LEFT - _RIGHT)
    parts: list[Markup] = []
    bottom = float(_TOP)
    for lane in lanes[:_MOST_LANES]:
        placed = place_bars(lane.bars)
        height = max([_LANE, *(place.of * _ROW + _LANE - _BAR for place in placed.values())])
        parts.append(_draw_lane(lane, placed, bottom, height, scale))
        bottom += height
    label = f"Timeline of {counted(len(lanes), 'lane')}, {duration(timedelta(seconds=scale.seconds))} in all"
    svg = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}" class="plot">{}{}</svg>')
    drawn = svg.format(WIDTH, bottom + 30, label, _grid(scale, bottom), Markup().join(parts))
    return Timeline(drawn, scale.start)


def _end(lanes: list[Lane]) -> datetime:
    """Return where the axis ends: with the work, so that hours of waiting do not squeeze it."""
    start = min(bar.start for lane in lanes for bar in lane.bars)
    work = max(bar.end for lane in lanes for bar in lane.bars)
    span = max(work - start, timedelta(seconds=1))
    near = [mark.time for lane in lanes for mark in lane.marks if mark.time <= work + span / 2]
    return max([work, *near]) + span * 0.04


def _grid(scale: TimeScale, bottom: float) -> Markup:
    line = Markup('<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" class="grid"/>')
    text = Markup('<text x="{}" y="{}" class="tick">{}</text>')
    ticks = scale.ticks()
    lines = [line.format(x, _TOP - 4, bottom + 4) for x, _label in ticks]
    return Markup().join([*lines, *(text.format(x, bottom + 20, label) for x, label in ticks)])


def _draw_lane(lane: Lane, placed: dict[Bar, Place], top: float, height: float, scale: TimeScale) -> Markup:
    middle = top + height / 2
    label = Markup('<text x="{}" y="{}" class="lane"><title>{}</title>{}</text>').format(
        _LEFT - 12, middle + 4, visible(lane.label), visible(_short(lane.label))
    )
    inner = height - (_LANE - _BAR)
    parts = [
        label,
        *(_draw_bar(bar, place, top + (_LANE - _BAR) / 2, inner, scale) for bar, place in placed.items()),
    ]
    parts += [_draw_mark(mark, middle, scale) for mark in lane.marks if scale.holds(mark.time)]
    late = [mark for mark in lane.marks if not scale.holds(mark.time)]
    right = WIDTH - _RIGHT
    near = [x for mark in lane.marks if scale.holds(mark.time) and (x := scale.x(mark.time)) > right - _WORDS]
    # One line of text is all there is room for; the section on gates names every evaluation.
    parts += [_draw_late(mark, min([right, *(x - 12 for x in near)]), middle, scale) for mark in late[-1:]]
    return Markup().join(parts)


def _draw_bar(bar: Bar, place: Place, top: float, inner: float, scale: TimeScale) -> Markup:
    x, thick = scale.x(bar.start), inner / place.of
    wide = max(scale.x(bar.end) - x, 2)
    gap = 1.2 if place.of > 1 else 0
    y = top + place.row * thick
    return _RECT.format(x, y, wide, max(thick - gap, 1), bar.kind, visible(bar.title))


@dataclass(frozen=True)
class Place:
    """The row of a bar among ``of`` rows that share the lane at that time."""

    row: int
    of: int


def place_bars(bars: tuple[Bar, ...]) -> dict[Bar, Place]:
    """Put bars that overlap into rows of their own; a bar alone in its time has the whole lane."""
    placed: dict[Bar, Place] = {}
    group: list[tuple[Bar, int]] = []
    free_at: list[datetime] = []
    for bar in sorted(bars, key=lambda each: (each.start, each.end)):
        if all(time <= bar.start for time in free_at):
            placed.update(_closed(group, len(free_at)))
            group, free_at = [], []
        row = next((index for index, time in enumerate(free_at) if time <= bar.start), len(free_at))
        free_at[row : row + 1] = [bar.end]
        group.append((bar, row))
    placed.update(_closed(group, len(free_at)))
    return placed


def _closed(group: list[tuple[Bar, int]], rows: int) -> dict[Bar, Place]:
    used = min(rows, _MOST_ROWS)
    return {bar: Place(row % used, used) for bar, row in group}


def _draw_mark(mark: Mark, y: float, scale: TimeScale) -> Markup:
    return Markup('<path d="M{0} {1}l7 7l-7 7l-7 -7z" class="mark {2}"><title>{3}</title></path>').format(
        scale.x(mark.time), y - 7, mark.kind, visible(mark.title)
    )


def _draw_late(mark: Mark, x: float, y: float, scale: TimeScale) -> Markup:
    later = duration(mark.time - scale.start)
    return Markup('<text x="{}" y="{}" class="later">{}, {} after the start →</text>').format(
        x, y + 4, visible(mark.title), later
    )


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:23]}…"
