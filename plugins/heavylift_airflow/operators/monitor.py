"""Operators of the phase monitor: look at one watched thing, and have the last word on a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.monitor_records import MonitorPoint, WatchRecord
    from heavylift.evidence.records import EvidenceRef
    from heavylift.spec.watching import Look
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 10


class WatchOperator(HeavyliftOperator):
    """Looks at one watched thing of the spec on one side, and keeps what it found; mapped over all.

    The tables are only read. An alarm does not fail this task: the run's summary does, so that it is not
    looked at again and again. Idempotency: each run of the task writes a record of its own.

    :param item: ``{"watch": name in the spec, "side": source, target or empty}``. (templated)
    :return: ``{"watch", "side", "kind", "verdict", "figures", "evidence"}``.
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "item")

    # Airflow finds the arguments of a mapped operator in the operators' own __init__ only.
    def __init__(self, *, spec_path: str, phase: str, item: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.item = item

    @property
    def watch_title(self) -> str:
        """The watched thing and the side, as the UI names the mapped task."""
        return f"{self.item['watch']} {self.item.get('side', '')}".strip()

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, note it in the audit trail, and measure the figures."""
        frame = self.frame(context)
        record = self.work.run(self._look(frame), f"look at {self.watch_title!r}")
        for reason in record.reasons[:MAX_NAMED]:
            self.log.warning("%s: %s", record.verdict, reason)
        self.log.info("%s: %s: %s", self.watch_title, record.verdict, record.statement)
        _measure(record)
        return {
            "watch": record.watch,
            "side": record.side,
            "kind": record.kind,
            "verdict": record.verdict,
            "figures": record.figures,
            "evidence": self.evidence_path,
        }

    async def _look(self, frame: TaskFrame) -> WatchRecord:
        from heavylift.monitor.from_spec import look
        from heavylift_airflow.trail import note

        record, ref = await look(frame.spec, self._what(), self._kept(frame), look_up, self._tell)
        self.evidence_path = ref.path
        details = {"verdict": record.verdict, "figures": record.figures}
        async with self.evidence(frame) as store:
            await note(
                store,
                frame,
                f"monitor.{record.kind}",
                subject=self.watch_title,
                evidence=(ref,),
                details=details,
            )
        return record

    def _what(self) -> Look:
        from heavylift.spec.watching import Look

        side = self.item.get("side", "")
        return Look(str(self.item["watch"]), "source" if side == "source" else "target" if side else "")

    def _kept(self, frame: TaskFrame) -> Any:
        from heavylift.monitor.requests import Kept

        what, stored = self._what(), frame.spec.evidence
        connection = look_up(stored.connection) if stored.connection else None
        return Kept(frame.spec.migration, what.watch, what.side, frame.run.run, stored.url, connection)

    def _tell(self, line: str) -> None:
        self.log.info("%s: %s", self.watch_title, line)


def _measure(record: WatchRecord) -> None:
    from airflow.sdk.observability import stats

    tags = {"migration": record.migration, "watch": record.watch, "side": record.side or "both"}
    stats.gauge(f"heavylift.monitor.{record.kind}.alarm", int(record.verdict == "alarm"), tags=tags)
    for name, value in record.figures.items():
        stats.gauge(f"heavylift.monitor.{record.kind}.{name}", value, tags=tags)


class SummariseMonitorOperator(HeavyliftOperator):
    """Has the last word on a run: fails where something is an alarm, or was not looked at.

    What cannot be told fails the run where the spec's ``monitor.fail_unsure`` says so, and is named anyhow.
    Reads the evidence store, not the state of tasks. Idempotency: it changes nothing but the audit trail.

    :return: ``{"looks", "alarms", "unsure"}``.
    :raises IncompleteError: with every alarm and its evidence.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Read what this run found, note the verdict, and fail where it is bad."""
        frame = self.frame(context)
        points, missing = self.work.run(self._found(frame), "summary of the run")
        alarms = [point for point in points if point.verdict == "alarm"]
        unsure = [point for point in points if point.verdict == "unsure"]
        for point in unsure:
            self.log.warning("can't tell: %s %s: %s", point.watch, point.side, "; ".join(point.reasons))
        monitor = frame.spec.monitor
        bad = [*alarms, *(unsure if monitor is not None and monitor.fail_unsure else ())]
        counts = {"looks": len(points), "alarms": len(alarms), "unsure": len(unsure)}
        self.log.info("%s", counts)
        if bad or missing:
            raise _alarm(frame.run.run, bad, missing)
        return counts

    async def _found(self, frame: TaskFrame) -> tuple[list[MonitorPoint], list[str]]:
        from heavylift.evidence.monitor_evidence import points_of_run
        from heavylift.spec.watching import looks_of
        from heavylift_airflow.trail import note

        async with self.evidence(frame) as store:
            points = [
                point
                for point in await points_of_run(store, frame.spec.migration, frame.run.run)
                if point.kind != "profile"
            ]
            seen = {(point.watch, point.side) for point in points}
            missing = [each.title for each in looks_of(frame.spec) if (each.watch, each.side) not in seen]
            refs: list[EvidenceRef] = [await store.ref_of(point.path) for point in points]
            alarms = [f"{point.watch} {point.side}".strip() for point in points if point.verdict == "alarm"]
            details = {"passed": not alarms and not missing, "alarms": alarms, "missing": missing}
            await note(store, frame, "run.finished", evidence=tuple(refs), details=details)
        return points, missing


def _alarm(run: str, bad: Sequence[MonitorPoint], missing: Sequence[str]) -> IncompleteError:
    named = [
        f"{point.watch} {point.side} ({point.kind}): {'; '.join(point.reasons[:3]) or point.statement}"
        f" [{point.path}]".replace("  ", " ")
        for point in bad[:MAX_NAMED]
    ]
    named += [f"{title} was not looked at" for title in missing[:MAX_NAMED]]
    return IncompleteError(
        f"watching in run {run}",
        got=f"{len(bad)} alarms, {len(missing)} without a look: {' | '.join(named)}",
        expected="no alarm, and a look at each watched thing",
        state="nothing was changed on either side; the records are in the evidence store",
        remedy="look at each named record; the runbook tells what each kind means",
        code="8931",
    )
