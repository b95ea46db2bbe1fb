"""The trigger that waits for a gate's result in the evidence store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from heavylift.errors import TransientError
from heavylift_airflow.hooks.evidence import EvidenceHook


class GateTrigger(BaseTrigger):
    """Fires as soon as the gate has been evaluated in the run, whatever the result.

    It asks for one file every ``poll_seconds``. An evidence store that is down for a while is
    waited for; one that refuses is told to the task, which then fails with the reason.

    :param evidence_conn_id: id of the evidence connection.
    :param evidence_url: where in it; None leaves that to the connection.
    :param run: ``{"migration", "phase", "run"}`` of the run's key.
    :param gate: name of the gate.
    """

    def __init__(
        self,
        evidence_conn_id: str,
        evidence_url: str | None,
        run: dict[str, str],
        gate: str,
        poll_seconds: float = 15.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.evidence_conn_id = evidence_conn_id
        self.evidence_url = evidence_url
        # BaseTrigger.run is the coroutine below, so the key needs another name here.
        self.run_fields = run
        self.gate = gate
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that make this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "evidence_conn_id": self.evidence_conn_id,
                "evidence_url": self.evidence_url,
                "run": self.run_fields,
                "gate": self.gate,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the gate's first result."""
        # Polling, because the result is written by another process into a store that tells nobody.
        while not await self._evaluated():  # noqa: ASYNC110
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"gate": self.gate})  # type: ignore[no-untyped-call]

    async def _evaluated(self) -> bool:
        from heavylift.evidence.paths import gate_path
        from heavylift.evidence.records import RunKey

        path = gate_path(RunKey.model_validate(self.run_fields), self.gate, 1)
        try:
            async with EvidenceHook(self.evidence_conn_id, self.evidence_url).open() as store:
                return await store.exists(path)
        except TransientError as error:
            self.log.warning("looking again in %s s: %s", self.poll_seconds, error)
            return False
