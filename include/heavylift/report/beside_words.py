"""Records without a section of their own, each in one short line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from heavylift.evidence.wording import counted, enumeration, size

if TYPE_CHECKING:
    from heavylift.evidence.alert_records import AlertRecord, DashboardRecord, LogQueryRecord
    from heavylift.evidence.capacity_records import CapacityRecord
    from heavylift.evidence.compliance_records import ComplianceRecord, ScanRecord
    from heavylift.evidence.endpoint_records import EndpointsRecord
    from heavylift.evidence.envelope_records import EnvelopeRecord
    from heavylift.evidence.fence_records import FenceRecord
    from heavylift.evidence.image_records import ImagesRecord
    from heavylift.evidence.loss_records import LossRecord
    from heavylift.evidence.registry_records import RegistrySwitchRecord
    from heavylift.evidence.secret_records import SecretsRecord
    from heavylift.evidence.services import ServiceEndRecord
    from heavylift.evidence.stream_records import StreamGroupsRecord
    from heavylift.evidence.table_records import ReverseRecord, StreamEndRecord
    from heavylift.evidence.two_way_records import TwoWayRecord
    from heavylift.evidence.workload_records import WorkloadTestRecord

_FEW = 3
_ENDPOINT_ACTS = {
    "plan": "planned",
    "apply": "brought up",
    "verify": "looked at afterwards",
    "plan-removal": "removal planned",
    "remove": "removed",
}
_ENDPOINTS_OPEN = {
    "plan": "to be made or changed",
    "apply": "not made",
    "verify": "not as wanted",
    "plan-removal": "to be removed",
    "remove": "not removed",
}
_ENVELOPE_ACTS = {"seal": "sealed", "open": "opened", "verify": "verified", "rewrap": "keys wrapped anew"}
_MOVE_ACTS = {"list": "listed", "copy": "copied", "verify": "compared"}


@dataclass(frozen=True)
class Said:
    """What a record says; see :class:`heavylift.report.beside.Told`."""

    subject: str
    passed: bool | None
    words: str
    at: datetime


class Watched(BaseModel):
    """What all records of watches have; the rest of them is left unread."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    watch: str
    kind: str
    side: str = ""
    measured_at: datetime
    verdict: str
    reasons: tuple[str, ...] = ()
    statement: str


def _and(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _figures(counts: Mapping[str, int]) -> str:
    found = counts.get("found", 0)
    rest = [f"{number:,} {name}" for name, number in counts.items() if number and name != "found"]
    return f"{found:,} found: {', '.join(rest)}" if rest else f"{found:,} found"


def endpoints(record: EndpointsRecord) -> Said:
    """Tell of an act on the endpoints of the target."""
    names = enumeration(list(record.targets), _FEW) or "none"
    still = _ENDPOINTS_OPEN[record.act]
    left = f"{record.open_gaps:,} left behind that nobody accepts" if record.open_gaps else ""
    good = sum(each.passed for each in record.smoke)
    asked = f"{good:,} of {counted(len(record.smoke), 'golden row')} answered" if record.smoke else ""
    things = f"{names}: {record.pending:,} of {counted(len(record.rows), 'thing')} {still}"
    said = _and(things, left, asked, enumeration(record.problems, _FEW))
    return Said(_ENDPOINT_ACTS[record.act], record.passed, said, record.ended_at)


def secrets(record: SecretsRecord) -> Said:
    """Tell of a move of secrets, or of a comparison."""
    said = f"{_figures(record.counts)}, from {record.source} to {record.target}"
    return Said(_MOVE_ACTS[record.act], record.passed, said, record.ended_at)


def images(record: ImagesRecord) -> Said:
    """Tell of a copy of images, or of a comparison."""
    names = ("found", "copied", "equal", "skipped", "failed", "planned")
    said = _figures({name: record.counts[name] for name in names})
    sent = f"{size(record.sent_bytes)} sent" if record.sent_bytes else ""
    return Said(_MOVE_ACTS[record.act], record.passed, _and(said, sent), record.ended_at)


def alerts(record: AlertRecord) -> Said:
    """Tell of translated alert rules."""
    said = _translated(counted(len(record.rules), "rule"), len(record.untranslated), record.failures)
    return Said(f"{record.source} → {record.target}", record.passed, said, record.created_at)


def dashboard(record: DashboardRecord) -> Said:
    """Tell of a translated dashboard."""
    same = sum(each.equal for each in record.lines)
    lines = f"{same:,} of {counted(len(record.lines), 'line')} drawn the same"
    what = f"{counted(record.widgets, 'widget')}, {lines}"
    said = _translated(what, len(record.untranslated), record.failures)
    return Said(f"{record.title}, {record.source} → {record.target}", record.passed, said, record.created_at)


def log_queries(record: LogQueryRecord) -> Said:
    """Tell of translated queries of logs."""
    same = sum(each.equal for each in record.queries)
    asked = f"{same:,} of {counted(len(record.queries), 'query', 'queries')} gave the same rows"
    said = _translated(asked, len(record.untranslated), record.failures)
    return Said(f"{record.source} → {record.target}", record.passed, said, record.created_at)


def _translated(what: str, untranslated: int, failures: tuple[str, ...]) -> str:
    left = f"{untranslated:,} not translated" if untranslated else ""
    return _and(what, left, enumeration(failures, _FEW))


def capacity(record: CapacityRecord) -> Said:
    """Tell whether the target bears the load that awaits it."""
    ratio = f"P95 {record.ratio.ratio:.2f} times the source's" if record.ratio else "P95 not comparable"
    said = (
        f"{record.target.achieved:,.1f} of {record.rate:,.1f} requests a second answered,"
        f" {100 * record.target.error_rate:.2g} % failed, {ratio}"
    )
    return Said(
        record.connection, record.passed, _and(said, enumeration(record.reasons, _FEW)), record.measured_at
    )


def losses(record: LossRecord) -> Said:
    """Tell what a way back without the target loses."""
    lost = [f"{each.subject}: at least {each.at_least:,} {each.unit}" for each in record.losses]
    said = _and(enumeration(lost, _FEW) or "nothing is lost", f"no answer: {enumeration(record.gone, _FEW)}")
    return Said("without the target", None, said, record.seen_at)


def registry(record: RegistrySwitchRecord) -> Said:
    """Tell which side of a followed registry takes writes."""
    proved = f"{counted(len(record.tables), 'table')} compared while nobody wrote" if record.tables else ""
    was = "as before" if record.already else f"closed to clients for {record.frozen_seconds:.1f} s"
    equal = all(each.equal for each in record.tables) if record.tables else None
    said = _and(f"clients write to the {record.to}", was, proved)
    return Said(record.registry, equal, said, record.ended_at)


def fence(record: FenceRecord) -> Said:
    """Tell how writes stand on one side of a database."""
    fenced = f"{counted(record.tables, 'table')} fenced" if record.tables else ""
    said = _and(f"writes are {record.writes} on the {record.side}", fenced, f"epoch {record.epoch}")
    return Said(f"{record.database}, {record.side}", None, said, record.acted_at)


def reverse(record: ReverseRecord) -> Said:
    """Tell of the stream of changes that flows back."""
    said = f"{record.act}, {counted(len(record.tables), 'table')}"
    return Said(record.database, None, said, record.made_at)


def stream_end(record: StreamEndRecord) -> Said:
    """Tell that a stream of changes has given back what it held on the source."""
    return Said(record.database, None, f"the stream {record.direction} was ended", record.ended_at)


def groups(record: StreamGroupsRecord) -> Said:
    """Tell of consumers' positions on the target."""
    how = "written" if record.written else "translated, not written"
    exact = "all exact" if record.complete else "not all exact"
    said = f"{counted(record.groups, 'group')}, {counted(len(record.positions), 'position')} {how}, {exact}"
    return Said(record.stream, record.complete, said, record.made_at)


def two_way(record: TwoWayRecord) -> Said:
    """Tell of a sync in both directions."""
    open_ = record.failed.objects + record.left.objects
    said = (
        f"{record.carried_to_target.objects:,} to the target, {record.carried_to_source.objects:,} to the"
        f" source, {counted(record.conflict_count, 'conflict')}, {record.failed.objects:,} failed,"
        f" {record.left.objects:,} left"
    )
    return Said(record.dataset, None if record.dry_run else not open_, said, record.ended_at)


def service(record: ServiceEndRecord) -> Said:
    """Tell how a run of a platform's transfer service ended, in the service's words."""
    said = (
        f"{record.service} says {record.state}: {counted(record.copied.objects, 'object')} copied,"
        f" {record.skipped.objects:,} skipped, {record.failed.objects:,} failed"
    )
    passed = None if not record.failed.objects and not record.errors else False
    return Said(record.dataset, passed, _and(said, enumeration(record.errors, _FEW)), record.ended_at)


def envelope(record: EnvelopeRecord) -> Said:
    """Tell of an act on an envelope."""
    extra = f"{counted(len(record.extra), 'object')} that no sealing names" if record.extra else ""
    said = _and(f"{record.statement}, below {record.target}", extra, enumeration(record.failures, _FEW))
    return Said(f"{record.name} {_ENVELOPE_ACTS[record.act]}", record.passed, said, record.ended_at)


def compliance(record: ComplianceRecord) -> Said:
    """Tell how the rules judge the path of the data."""
    names = enumeration(record.frameworks, _FEW) or "rules"
    return Said(names, record.passed, record.statement, record.checked_at)


def scan(record: ScanRecord) -> Said:
    """Tell what a scan for personal data found."""
    classes = f"counts as {enumeration(record.classes, _FEW)}" if record.classes else ""
    return Said(
        record.subject, None if record.complete else False, _and(record.statement, classes), record.scanned_at
    )


def watch(record: Watched) -> Said:
    """Tell the last look at something that is watched."""
    side = f" of the {record.side}" if record.side else ""
    passed = {"ok": True, "alarm": False}.get(record.verdict)
    said = _and(record.statement, enumeration(record.reasons, _FEW))
    return Said(f"{record.watch}: {record.kind}{side}", passed, said, record.measured_at)


def workload(record: WorkloadTestRecord) -> Said:
    """Tell of the newest test of one kind of the moved workload."""
    passed = {"passed": True, "failed": False}.get(record.verdict)
    return Said(record.kind, passed, record.statement, record.tested_at)
