"""``heavylift workload``: test the moved workload: functional, performance, security, continuity."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor
from heavylift.connections import connection_from_env

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.workload_records import WorkloadTestRecord
    from heavylift.workload.requests import WorkloadRequest

app = typer.Typer(no_args_is_help=True)

Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="spec file with a section workload_tests")]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND", help="functional, performance, security or continuity; all where left out"),
]
_SIGN = {"passed": "ok", "failed": "FAILED", "not run": "NOT RUN"}


@app.command("test")
def run_command(
    spec: Spec,
    only: Only = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Test the target's endpoint as the spec says; ends with 1 where a test did not pass."""
    from heavylift.aio import run
    from heavylift.workload.api import kinds_of, try_workload

    async def act(request: WorkloadRequest) -> list[tuple[WorkloadTestRecord, EvidenceRef]]:
        wanted = only or kinds_of(request.spec)
        _ = request.section
        return [await try_workload(request, kind, note) for kind in wanted]  # type: ignore[arg-type]

    _finish(run(_whole(spec, evidence, evidence_conn, act)), as_json=as_json)


@app.command("drill")
def drill_command(
    spec: Spec,
    seconds: Annotated[float, typer.Option(help="how long to wait for the loss and the recovery")] = 600.0,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Watch from where clients are, while somebody takes the target away and brings traffic back."""
    from heavylift.aio import run
    from heavylift.workload.api import drill

    async def act(request: WorkloadRequest) -> list[tuple[WorkloadTestRecord, EvidenceRef]]:
        return [await drill(request, note, seconds=seconds)]

    _finish(run(_whole(spec, evidence, evidence_conn, act)), as_json=as_json)


def _finish(found: list[tuple[WorkloadTestRecord, EvidenceRef]], *, as_json: bool) -> None:
    lines = []
    for record, ref in found:
        lines.append(f"{record.kind}: {record.verdict}; {record.statement} ({record.address})")
        lines += [f"  {_SIGN[each.verdict]}  {each.name}: {each.got}" for each in record.cases]
        lines.append(f"  evidence: {ref.path}")
    passed = bool(found) and all(record.verdict == "passed" for record, _ref in found)
    tests: list[dict[str, Any]] = [
        {
            "verdict": record.verdict,
            "test": record.model_dump(mode="json"),
            "evidence": ref.model_dump(mode="json"),
        }
        for record, ref in found
    ]
    finish(
        {"tests": tests},
        text="\n".join(lines),
        as_json=as_json,
        status=ExitStatus.DONE if passed else ExitStatus.FAILED,
    )


async def _whole(
    spec: Path,
    evidence: str | None,
    evidence_conn: str | None,
    act: Callable[[WorkloadRequest], Awaitable[list[tuple[WorkloadTestRecord, EvidenceRef]]]],
) -> list[tuple[WorkloadTestRecord, EvidenceRef]]:
    async with _opened(spec, evidence, evidence_conn) as request:
        return await act(request)


@asynccontextmanager
async def _opened(
    spec: Path, evidence: str | None, evidence_conn: str | None
) -> AsyncIterator[WorkloadRequest]:
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import open_evidence
    from heavylift.spec.load import load_spec
    from heavylift.workload.requests import WorkloadRequest

    loaded = load_spec(spec)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    run = RunKey(migration=loaded.migration, phase="cutover", run=f"cli-{stamp}")
    stored = evidence_conn or (None if evidence else loaded.evidence.connection)
    async with open_evidence(evidence or loaded.evidence.url, evidence_connection(stored)) as store:
        yield WorkloadRequest(store, loaded, run, shell_actor(), connection_from_env)
