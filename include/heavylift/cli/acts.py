"""Notes in the audit trail what a command did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from heavylift.cli.stores import shell_actor

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.records import EvidenceRef, RunKey


class Noted(Protocol):
    """What a request tells of its run and of where its evidence lies."""

    @property
    def run(self) -> RunKey: ...  # noqa: D102

    @property
    def evidence_url(self) -> str | None: ...  # noqa: D102

    @property
    def evidence_connection(self) -> Connection | None: ...  # noqa: D102


def note_act(
    request: Noted, subject: str, action: str, evidence: tuple[EvidenceRef, ...], details: dict[str, Any]
) -> None:
    """Append one act of the shell's user to the audit trail of the request's migration."""
    from heavylift.aio import run
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act
    from heavylift.evidence.store import open_evidence

    async def append() -> None:
        async with open_evidence(request.evidence_url, request.evidence_connection) as store:
            await AuditTrail(store, request.run.migration).append(
                Act(
                    actor=shell_actor(),
                    action=action,
                    phase=request.run.phase,
                    run=request.run.run,
                    subject=subject,
                    evidence=evidence,
                    details=details,
                )
            )

    run(append())
