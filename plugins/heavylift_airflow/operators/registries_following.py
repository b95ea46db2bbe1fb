"""Operators that keep a registry up to date: bounded for schedules, or following; and the switch."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from heavylift.errors import TransientError
from heavylift_airflow.operators.registries import RegistryOperator
from heavylift_airflow.triggers.replication import ChangesWaitingTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.table_records import SyncRecord
    from heavylift.registry.requests import RegistryRequest
    from heavylift_airflow.context import TaskFrame
    from heavylift_airflow.operators.registries import RegistryReporter

MAX_FAILURES = 20
"""How often in a row following may be interrupted by a server that goes away, before it gives up."""
EVERY_SECONDS = 60.0
"""While it waits in the triggerer: look after so long in any case."""


class SyncRegistryOperator(RegistryOperator):
    """Brings a copied registry up to date, all of it to one moment; where nothing is new, writes nothing.

    Without ``follow`` it is bounded, for schedules. With ``follow`` (store level, ``deletes: propagate``) the
    log of the source's database is followed: the first run makes the stream, and closes the target to
    clients until the switch. It then works until there is nothing left and waits in the triggerer until there
    is; with ``hold_worker`` it stays, so that the target is less than a second behind. Once a registry is
    followed, bounded runs apply what its stream has, in whichever direction changes flow.

    Idempotency: both databases are compared, or the position lies in the target with the changes, so a second
    run does only what is left. A run that is stopped leaves whole transactions.

    :param begin: follow it from the first run on, in bounded rounds: for a registry that is to be switched.
    :param follow: go on until the task is stopped, or for ``follow_seconds``.
    :param hold_worker: while following, stay with the source instead of waiting in the triggerer.
    :param poll_seconds: while following, how often the triggerer looks.
    :return: as of :class:`CopyRegistryOperator`; of a followed registry ``{"direction", "changes",
        "caught_up", "lag_bytes", …}``.
    :raises NotFoundError: there is no complete copy.
    :raises ConflictError: others have written to the target's rows; nothing was touched.
    :raises PermanentError: the source has lost log that the stream needs.
    :raises TransientError: a server went away, or another run is at work; a retry does it.
    """

    def __init__(
        self,
        *,
        registry: str,
        begin: bool = False,
        follow: bool = False,
        follow_seconds: float | None = None,
        hold_worker: bool = False,
        poll_seconds: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(registry=registry, **kwargs)
        self.begin = begin
        self.follow = follow
        self.follow_seconds = follow_seconds
        self.hold_worker = hold_worker
        self.poll_seconds = poll_seconds

    def execute(self, context: Context) -> dict[str, Any]:
        """Sync, or begin to follow, and note it in the audit trail."""
        frame = self.moving_frame(context)
        if self.follow:
            self.work.run(
                self._begin(frame, self.reporter(context, frame)), self._what("beginning to follow")
            )
            return self._follow(context, {"began": None, "failures": 0})
        return self.work.run(self._sync(frame, self.reporter(context, frame)), self._what("sync of"))

    def resume(
        self, context: Context, event: dict[str, Any], began: str | None = None, failures: int = 0
    ) -> dict[str, Any]:
        """Go on following: the triggerer saw changes, or it is time to look.

        :param began: when following began, ISO 8601.
        :param failures: interruptions in a row.
        """
        self.log.info("woken: %s", event)
        return self._follow(context, {"began": began, "failures": failures})

    def _what(self, doing: str) -> str:
        return f"{doing} registry {self.registry!r}"

    async def _sync(self, frame: TaskFrame, reporter: RegistryReporter) -> dict[str, Any]:
        from heavylift.mirror import api as mirror
        from heavylift.mirror.followed import is_followed
        from heavylift.registry.api import sync_registry
        from heavylift.registry.wording import move_figures

        request = self.request(frame)
        if self.begin:
            await self._begin(frame, reporter)
        if await is_followed(request):
            record, ref = await mirror.sync_following(request, reporter)
            await self._note_changes(frame, record, ref)
            return self._told(record)
        moved, ref = await sync_registry(request, reporter)
        await self.note(frame, "registry.synced", ref, move_figures(moved))
        return self.tell_move(moved)

    async def _begin(self, frame: TaskFrame, reporter: RegistryReporter) -> None:
        from heavylift.mirror.api import begin_following
        from heavylift.registry.wording import move_figures

        begun = await begin_following(self.request(frame), reporter)
        if begun is not None:
            record, ref = begun
            await self.note(frame, "registry.following_begun", ref, move_figures(record))
            self.tell_move(record)

    def _follow(self, context: Context, so_far: dict[str, Any]) -> dict[str, Any]:
        from heavylift.evidence.records import utc_now

        frame = self.moving_frame(context)
        began = datetime.fromisoformat(so_far["began"]) if so_far["began"] else utc_now()
        failures = int(so_far["failures"])
        record: SyncRecord | None = None
        try:
            record, failures = self.work.run(self._rounds(frame), self._what("following")), 0
        except TransientError as error:
            failures += 1
            if self.work.stopped or failures > MAX_FAILURES:
                raise
            self.log.warning("waiting in the triggerer: %s", error)
        spent = (utc_now() - began).total_seconds()
        if record is None or self.follow_seconds is None or spent < self.follow_seconds:
            self._wait(self.request(frame), began, failures)
        return self._told(record)

    def _wait(self, request: RegistryRequest, began: datetime, failures: int) -> NoReturn:
        from heavylift.mirror.api import live_stream

        stream = self.work.run(live_stream(request), self._what("looking which way changes flow of"))
        trigger = ChangesWaitingTrigger(
            source_conn_id=stream.source.connection.conn_id,
            target_conn_id=stream.target.connection.conn_id,
            stream=stream.stream,
            poll_seconds=self.poll_seconds,
            every_seconds=EVERY_SECONDS,
        )
        so_far = {"began": began.isoformat(), "failures": failures}
        self.defer(trigger=trigger, method_name="resume", kwargs=so_far)

    async def _rounds(self, frame: TaskFrame) -> SyncRecord:
        """Apply changes until there are none, or with a worker that is held for as long as is wanted."""
        from heavylift.mirror.api import follow_registry
        from heavylift.tables.follow import Watching

        rounds: list[SyncRecord] = []

        async def keep(record: SyncRecord, ref: EvidenceRef) -> None:
            await self._note_changes(frame, record, ref)

        watching = Watching(round_done=rounds.append, kept=keep)
        if self.hold_worker:
            await follow_registry(self.request(frame), watching, for_seconds=self.follow_seconds)
        else:
            await follow_registry(self.request(frame), watching, until_idle=True)
        return rounds[-1]

    async def _note_changes(self, frame: TaskFrame, record: SyncRecord, ref: EvidenceRef) -> None:
        from heavylift.tables.wording import sync_figures

        details = {**sync_figures(record), "direction": record.direction, "following": True}
        await self.note(frame, "registry.synced", ref, details)

    def _told(self, record: SyncRecord) -> dict[str, Any]:
        from heavylift.tables.wording import sync_figures, sync_line

        self.log.info("registry %r, %s: %s", self.registry, record.direction, sync_line(record))
        return {"direction": record.direction, **sync_figures(record)}


class SwitchRegistryOperator(RegistryOperator):
    """Lets clients write to the other side of a followed registry, with nothing lost, and keeps the way back.

    Writes are frozen on the one side, what is left is carried over and proved, and the other side is opened.
    Leading clients there (DNS, a proxy) is for other tasks. Idempotency: where ``to`` is open already nothing
    is done; a run that was killed in between is gone on with by the next.

    :param to: ``target``, or ``source`` to go back. (templated)
    :param within_seconds: for freezing, and again for draining.
    :param prove: compare both databases by digests while nobody writes.
    :return: ``{"to", "already", "epoch", "frozen_seconds", "tables"}``.
    :raises TransientError: it took too long; the side that was live is open again.
    :raises IntegrityError: the sides differ; the side that was live is open again.
    """

    template_fields = (*RegistryOperator.template_fields, "to")

    def __init__(
        self,
        *,
        registry: str,
        to: str = "target",
        within_seconds: float = 30.0,
        prove: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(registry=registry, **kwargs)
        self.to = to
        self.within_seconds = within_seconds
        self.prove = prove

    def execute(self, context: Context) -> dict[str, Any]:
        """Switch, and note it in the audit trail."""
        frame = self.moving_frame(context)
        return self.work.run(self._switch(frame), f"switch of registry {self.registry!r}")

    async def _switch(self, frame: TaskFrame) -> dict[str, Any]:
        from heavylift.fencing import Side
        from heavylift.mirror.switch import switch_registry

        record, ref = await switch_registry(
            self.request(frame),
            Side(self.to),
            within_seconds=self.within_seconds,
            prove=self.prove,
            say=lambda step: self.log.info("registry %r: %s", self.registry, step),
        )
        figures = {
            "to": record.to,
            "already": record.already,
            "epoch": record.epoch,
            "frozen_seconds": record.frozen_seconds,
            "tables": len(record.tables),
        }
        await self.note(frame, "registry.switched", ref, figures)
        return figures
