"""The trigger that ends a pause of writes whose switch has died, though no scheduler runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError
from airflow.triggers.base import BaseTrigger, TriggerEvent

from heavylift.errors import HeavyliftError
from heavylift_airflow.hooks.evidence import EvidenceHook
from heavylift_airflow.hooks.object_store import ObjectStoreHook

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.cutover.api import SwitchRequest
    from heavylift.cutover.pauses import PauseWatch
    from heavylift.spec import MigrationSpec

OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
STARTED = frozenset({"queued", "running", "restarting", "up_for_retry", "up_for_reschedule"})
IDLE = 3
"""How many times as long between two looks, while the task is not scheduled yet."""


class PauseTrigger(BaseTrigger):
    """Watches whether somebody can write while a task switches, and lets writes go on where nobody can.

    It runs in the triggerer, which needs no scheduler: a switch whose process was killed, with the scheduler
    or without it, keeps applications back no longer than the budget and ten seconds. It acts only while its
    own run holds the turn. Nothing is remembered: a triggerer that was killed itself begins the count anew.

    Fires when the task has ended, however it ended.

    :param spec_path: the migration's spec.
    :param run: the key of the run.
    :param watched: the task that switches, as ``{"dag_id", "run_id", "task_id"}``.
    :param actor: as the audit trail names it.
    """

    def __init__(
        self,
        spec_path: str,
        run: dict[str, str],
        watched: dict[str, str],
        actor: str,
        poll_seconds: float = 2.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.spec_path, self.run_key = spec_path, run
        self.watched, self.actor = watched, actor
        self.poll_seconds = poll_seconds
        self.ended = 0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that make this trigger again; no secret among them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "spec_path": self.spec_path,
                "run": self.run_key,
                "watched": self.watched,
                "actor": self.actor,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch until the task has ended."""
        # Imports and the reading of a file must not hold up other triggers.
        spec, watch = await asyncio.to_thread(self._prepare)
        begun = False
        while True:
            state = await self._state()
            if state in OVER:
                break
            # Where Airflow can't tell, it is better to look. A task that is reset has been at work, too.
            begun = begun or state is None or state in STARTED
            if begun:
                await self._look(spec, watch)
                await asyncio.sleep(self.poll_seconds)
            else:
                # Steps before it may take hours.
                await asyncio.sleep(self.poll_seconds * IDLE)
        yield TriggerEvent({"state": state, "ended": self.ended})  # type: ignore[no-untyped-call]

    def _prepare(self) -> tuple[MigrationSpec, PauseWatch]:
        from heavylift.cutover.pauses import PauseWatch
        from heavylift.spec import Phase, load_spec
        from heavylift.spec.registry_phase import spec_for
        from heavylift.switching.parts import cutover_of

        spec = spec_for(load_spec(self.spec_path), Phase(self.run_key["phase"]))
        return spec, PauseWatch(cutover_of(spec).max_write_pause)

    async def _state(self) -> str | None:
        """Return the task's state: empty where it is not scheduled yet, None where nobody answers."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
        from asgiref.sync import sync_to_async

        task_id, run_id = self.watched["task_id"], self.watched["run_id"]
        try:
            told = await sync_to_async(RuntimeTaskInstance.get_task_states)(
                dag_id=self.watched["dag_id"], task_ids=[task_id], run_ids=[run_id]
            )
        except (AirflowException, AirflowRuntimeError, OSError) as error:
            self.log.warning("Airflow does not tell how %s stands: %s", task_id, error)
            return None
        return str((told.get(run_id) or {}).get(task_id) or "")

    async def _look(self, spec: MigrationSpec, watch: PauseWatch) -> None:
        """Look once, and end a pause that nobody else ends."""
        known: dict[str, Connection] = {}
        try:
            while True:
                try:
                    async with self._request(spec, known) as request:
                        await self._act(request, watch)
                    return
                except _UnknownConnectionError as asked:
                    # Read anew for each look, so that a rotated key is taken up.
                    known[asked.conn_id] = await ObjectStoreHook(asked.conn_id).aget_conn()
        except HeavyliftError as error:
            self.log.warning("looking again in %s s: %s", self.poll_seconds, error)

    async def _act(self, request: SwitchRequest, watch: PauseWatch) -> None:
        from heavylift.cutover.api import SwitchFailedError
        from heavylift.cutover.pauses import end_if_over

        try:
            done = await end_if_over(request, watch, self._tell)
        except SwitchFailedError as failed:
            raise failed.error from failed
        if done is not None:
            record, ref = done
            self.ended += 1
            self.log.warning(
                "nobody could write for longer than a switch that lives would need:"
                " writes go on at the %s, epoch %s",
                record.goal,
                record.epoch,
            )
            await self._note(request, {"side": record.goal, "epoch": record.epoch}, ref)

    async def _note(self, request: SwitchRequest, details: dict[str, Any], ref: Any) -> None:
        from heavylift.evidence.audit import AuditTrail
        from heavylift.evidence.audit_entry import Act

        act = Act(
            actor=self.actor,
            action="cutover.pause_ended",
            phase=request.run.phase,
            run=request.run.run,
            evidence=(ref,),
            details=details,
        )
        await AuditTrail(request.store, request.run.migration).append(act)

    @asynccontextmanager
    async def _request(
        self, spec: MigrationSpec, known: dict[str, Connection]
    ) -> AsyncIterator[SwitchRequest]:
        from heavylift.cutover.api import SwitchRequest
        from heavylift.evidence.records import RunKey
        from heavylift.switching.parts import cutover_of, open_parts

        run, cutover = RunKey.model_validate(self.run_key), cutover_of(spec)

        def connections(conn_id: str) -> Connection:
            if conn_id not in known:
                raise _UnknownConnectionError(conn_id)
            return known[conn_id]

        hook = EvidenceHook(spec.evidence.connection, spec.evidence.url)
        async with hook.open() as store, open_parts(spec, run, connections, self._tell) as parts:
            yield SwitchRequest(
                store,
                run,
                parts,
                self.actor,
                cutover.max_write_pause,
                freeze_within=cutover.freeze_within,
            )

    def _tell(self, line: str) -> None:
        self.log.info("%s", line)


class _UnknownConnectionError(Exception):
    """A connection is asked for that was not fetched yet: that can't be done in the midst of the library."""

    def __init__(self, conn_id: str) -> None:
        super().__init__(conn_id)
        self.conn_id = conn_id
