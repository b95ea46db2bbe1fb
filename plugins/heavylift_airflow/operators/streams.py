"""Operators that mirror a stream: mirror, verify, translate consumer groups."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError, IntegrityError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.progress import LOG_EVERY_SECONDS, Log

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.stream_records import (
        StreamGroupsRecord,
        StreamMirrorRecord,
        StreamVerificationRecord,
    )
    from heavylift.streams.ports import StreamProgress
    from heavylift.streams.requests import StreamRequest
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 5
"""How many offsets an error message names; the evidence lists more."""


class StreamOperator(HeavyliftOperator):
    """An operator that acts on one stream of the spec.

    :param stream: the stream's name in the spec. (templated)
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "stream")

    def __init__(self, *, stream: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stream = stream

    def request(self, frame: TaskFrame, *, drained: bool = False) -> StreamRequest:
        """Return the library's request for this stream in this run."""
        from heavylift.streams.api import stream_request

        return stream_request(
            frame.spec,
            self.stream,
            frame.run,
            look_up,
            dry_run=frame.options.dry_run,
            drained=drained,
            max_bytes_per_second=frame.options.bandwidth_bytes_per_second,
        )

    async def live(self, frame: TaskFrame, *, drained: bool = False) -> StreamRequest:
        """Return it in the direction that records flow now: back after a cutover that switches it."""
        from heavylift.streams.api import live_request

        return await live_request(self.request(frame, drained=drained))

    async def note(
        self, frame: TaskFrame, action: str, evidence: tuple[EvidenceRef, ...], details: dict[str, Any]
    ) -> None:
        """Note in the audit trail what was done, and link to the evidence."""
        from heavylift_airflow.trail import note

        self.evidence_path = evidence[-1].path
        async with self.evidence(frame) as store:
            await note(store, frame, action, subject=self.stream, evidence=evidence, details=details)


class MirrorStreamOperator(StreamOperator):
    """Mirrors what the stream's topics have now, after what is mirrored already; a bounded run.

    To the target; after a cutover that switches this stream back to the source, as the fences say.

    Idempotency: the offset map on the target tells what is there; a second run, also after a lost worker,
    sends only the rest, and nothing twice. Stopping it (mark failed, worker shut down) ends it within
    seconds. In a dry run it only plans, and fails where something stands in the way.

    :return: ``{"complete", "caught_up", "sent", "found_there", "size_bytes", "lag_records", "lag_seconds"}``;
        of a dry run ``{"to_mirror", "topics"}``.
    :raises ConflictError: another run is at work, or the target holds what Heavylift did not write.
    :raises TransientError: a broker did not answer; a retry goes on with the rest.
    """

    def execute(self, context: Context) -> dict[str, int | float | bool]:
        """Plan, mirror, and return the counts."""
        frame = self.frame(context)
        plan = self.work.run(self._plan(frame), f"planning of stream {self.stream!r}")
        if plan is not None:
            return plan
        record = self.work.run(self._mirror(frame), f"mirror of stream {self.stream!r}")
        counts = mirror_counts(record)
        context["ti"].xcom_push(key="mirror", value=counts)
        for finding in record.findings[:MAX_NAMED]:
            self.log.warning("%s: %s: %s", finding.severity, finding.subject, finding.detail)
        self.log.info("stream %r: %s", self.stream, counts)
        return counts

    async def _plan(self, frame: TaskFrame) -> dict[str, int | float | bool] | None:
        """Refuse what stands in the way; return the plan's counts where this is a dry run."""
        from heavylift.streams.api import plan_stream
        from heavylift.streams.work import refuse

        plan, ref = await plan_stream(await self.live(frame))
        self.evidence_path = ref.path
        counts = {"to_mirror": plan.to_mirror, "topics": len(plan.topics)}
        await self.note(frame, "stream.planned", (ref,), {**counts, "refusals": len(plan.refusals)})
        refuse(plan)
        return {**counts} if frame.options.dry_run else None

    async def _mirror(self, frame: TaskFrame) -> StreamMirrorRecord:
        from heavylift.streams.api import mirror_stream

        record, ref = await mirror_stream(await self.live(frame), StreamReporter(self.log, self.stream))
        await self.note(frame, "stream.mirrored", (ref,), mirror_counts(record))
        return record


class VerifyStreamOperator(StreamOperator):
    """Reads both sides of a stream afresh and compares them record by record.

    Idempotency: each run of the task writes a verification of its own and changes nothing else.

    :param drained: fail as well where the source has records that are not mirrored yet, as before a cutover.
    :return: ``{"passed", "equal", "missing", "different", "extra", "newer"}``.
    :raises IntegrityError: the sides differ; the first offsets are named, the evidence has more.
    :raises ServerUnavailableError: something could not be read, so that nothing was concluded.
    """

    def __init__(self, *, drained: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drained = drained

    def execute(self, context: Context) -> dict[str, int | bool]:
        """Verify, note it in the audit trail, and fail where the sides differ."""
        frame = self.moving_frame(context)
        record = self.work.run(self._verify(frame), f"verification of stream {self.stream!r}")
        summary = stream_verification_summary(record)
        context["ti"].xcom_push(key="verification", value=summary)
        if not record.passed:
            raise _differs(record, self.evidence_path or "")
        self.log.info("stream %r: %s", self.stream, record.statement)
        return summary

    async def _verify(self, frame: TaskFrame) -> StreamVerificationRecord:
        from heavylift.streams.api import verify_stream

        request = await self.live(frame, drained=self.drained)
        record, ref = await verify_stream(request, StreamReporter(self.log, self.stream))
        await self.note(frame, "stream.verified", (ref,), stream_verification_summary(record))
        return record


class TranslateGroupsOperator(StreamOperator):
    """Translates consumer groups' positions and puts them on the target, where no member is active.

    Idempotency: a second run finds what is there and writes only what has moved; a dry run writes nothing.

    :param require_all: fail where a position could not be written, or is not exact, as at a cutover.
    :return: ``{"groups", "positions", "written", "unchanged", "active", "foreign", "failed", "complete"}``.
    :raises IncompleteError: with ``require_all``; the evidence names every position.
    """

    def __init__(self, *, require_all: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.require_all = require_all

    def execute(self, context: Context) -> dict[str, int | bool]:
        """Translate, note it in the audit trail, and return what became of the positions."""
        frame = self.frame(context)
        record = self.work.run(self._translate(frame), f"groups of stream {self.stream!r}")
        counts = group_counts(record)
        self.log.info("stream %r: %s", self.stream, counts)
        for finding in record.findings[:MAX_NAMED]:
            self.log.warning("%s: %s: %s", finding.severity, finding.subject, finding.detail)
        if self.require_all and not record.complete:
            raise _not_all(record, self.evidence_path or "")
        return counts

    async def _translate(self, frame: TaskFrame) -> StreamGroupsRecord:
        from heavylift.streams.api import translate_groups

        record, ref = await translate_groups(await self.live(frame))
        await self.note(frame, "stream.groups_translated", (ref,), group_counts(record))
        return record


class StreamReporter:
    """Takes progress as often as it comes; every few seconds it logs and measures it."""

    def __init__(self, log: Log, stream: str) -> None:
        self._log = log
        self._tags = {"stream": stream}
        self._due = time.monotonic() + LOG_EVERY_SECONDS

    def __call__(self, progress: StreamProgress) -> None:
        """Take one report."""
        now = time.monotonic()
        if now < self._due:
            return
        from airflow.sdk.observability import stats

        from heavylift.streams.progress_text import progress_line

        self._due = now + LOG_EVERY_SECONDS
        self._log.info("%s", progress_line(progress))
        stats.gauge(f"heavylift.stream.{progress.act}.records_done", progress.records_done, tags=self._tags)
        stats.gauge("heavylift.stream.records_per_second", progress.records_per_second, tags=self._tags)
        if progress.lag_seconds is not None:
            stats.gauge("heavylift.stream.lag_seconds", progress.lag_seconds, tags=self._tags)


def mirror_counts(record: StreamMirrorRecord) -> dict[str, int | float | bool]:
    """Return a mirror's figures."""
    return {
        "complete": record.complete,
        "caught_up": record.caught_up,
        "sent": record.sent,
        "found_there": record.found_there,
        "size_bytes": record.size_bytes,
        "lag_records": record.lag_records,
        "lag_seconds": record.lag_seconds,
    }


def stream_verification_summary(record: StreamVerificationRecord) -> dict[str, int | bool]:
    """Return a verification's counts."""
    return {
        "passed": record.passed,
        "equal": record.equal,
        "missing": record.missing,
        "different": record.different,
        "extra": record.extra,
        "newer": record.newer,
    }


def group_counts(record: StreamGroupsRecord) -> dict[str, int | bool]:
    """Return how many positions ended in which way."""
    actions = [position.action for position in record.positions]
    return {
        "groups": record.groups,
        "positions": len(actions),
        **{name: actions.count(name) for name in ("written", "unchanged", "active", "foreign", "failed")},
        "complete": record.complete,
    }


def _differs(record: StreamVerificationRecord, path: str) -> IntegrityError:
    named = ", ".join(
        f"{item.kind} {item.topic}[{item.partition}]@{item.source_offset}/{item.target_offset}"
        for item in record.differences[:MAX_NAMED]
    )
    return IntegrityError(
        f"verification of stream {record.stream!r}",
        got=record.statement + (f" ({named})" if named else ""),
        expected="equal records on both sides" + (", and none left" if record.drained_demanded else ""),
        state=f"{record.equal} records are equal; nothing was changed by verifying",
        remedy=f"read {path} in the evidence store; where only newer records are left, mirror again",
        code="6570",
    )


def _not_all(record: StreamGroupsRecord, path: str) -> IncompleteError:
    left = [at for at in record.positions if at.action not in {"written", "unchanged"} or not at.exact]
    named = ", ".join(f"{at.group} {at.topic}[{at.partition}] {at.action}" for at in left[:MAX_NAMED])
    return IncompleteError(
        f"translating consumer groups of stream {record.stream!r}",
        got=f"{len(left)} of {len(record.positions)} positions not written, or not exact ({named})",
        expected="every position on the target",
        state="the others are written; no position is ahead of the true one",
        remedy="stop the groups' members on the target, mirror what is left, then clear this task;"
        f" {path} names all",
        code="6571",
    )
