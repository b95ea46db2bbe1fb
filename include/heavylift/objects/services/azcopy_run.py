"""Running AzCopy to its end: as a child process, resumed by its job's id, stopped with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from heavylift.connections import Connection
from heavylift.errors import IncompleteError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import ShardResult, Tally
from heavylift.evidence.services import ServiceRunRecord, service_run_path
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.requests import TransferRequest
from heavylift.objects.services.azcopy import (
    NAME,
    Message,
    copy_arguments,
    environment,
    find_program,
    read_line,
    resume_arguments,
    status_of,
)
from heavylift.objects.services.orders import order_name
from heavylift.objects.services.ports import ServiceOrder, ServiceStatus
from heavylift.objects.services.run import (
    StartedRun,
    finish_service_run,
    finished_result,
    latest_open_run,
    order_for,
    service_rows,
)
from heavylift.objects.sessions import evidence_of

GRACE_SECONDS = 20.0
"""How long the program may take to cancel its job after an interrupt."""

_LONGEST_LINE = 16 * 2**20


@dataclass
class _Session:
    """One run of the program."""

    messages: list[Message] = field(default_factory=list)
    job: str = ""


async def move_by_azcopy(
    request: TransferRequest,
    login: Connection,
    attempt: int,
    report: Callable[[Tally, Tally], None] | None = None,
) -> ShardResult | None:
    """Let AzCopy copy its part of the plan; return None where there is none.

    Idempotent: a job that was stopped on this machine is resumed by its id; elsewhere a new one
    skips what is on the target. Cancelling interrupts the program, which cancels its job.

    :param login: the identity that the program writes the target with.
    :param report: called with what is done and what was planned, each time the program tells.
    :raises IncompleteError: the program did not copy all; its reasons are named.
    """
    finished = await finished_result(request, None)
    if finished is not None:
        return finished
    program = find_program()
    async with evidence_of(request) as evidence:
        number, earlier = await latest_open_run(evidence, request)
        async with service_rows(request, evidence) as (rows, work):
            if not rows:
                return None
            keys = work / "keys.txt"
            keys.write_text("".join(f"{row.rel}\n" for row in rows), encoding="utf-8")
            order = order_for(request, rows, str(keys))
            env = environment(order, login, os.environ)
            resumes = earlier is not None and _plan_is_here(earlier.handle, env)
            arguments = (
                resume_arguments(earlier.handle) if earlier and resumes else copy_arguments(order, keys)
            )
            session = _Session(job=earlier.handle if earlier and resumes else "")
            started = StartedRun(number, earlier) if earlier and resumes else None

            async def heard(message: Message) -> None:
                nonlocal started
                if message.kind == "Init" and started is None:
                    session.job = str(message.content.get("JobID", ""))
                    started = await _keep_start(evidence, request, order, session.job)
                if report and message.kind == "Progress":
                    report(_done(message), order.planned)

            status = await _run([program, *arguments], env, session, heard)
    if started is None:
        raise _never_began(request, status)
    return await finish_service_run(request, None, started, status, attempt)


async def _keep_start(
    evidence: EvidenceStore, request: TransferRequest, order: ServiceOrder, job: str
) -> StartedRun:
    record = ServiceRunRecord(
        run=request.run,
        dataset=request.dataset,
        service=NAME,
        job=order_name(request),
        handle=job,
        planned=order.planned,
    )
    number, _ref = await write_next(
        evidence, lambda n: service_run_path(request.run, request.dataset, n), record
    )
    return StartedRun(number, record)


async def _run(
    command: list[str],
    env: dict[str, str],
    session: _Session,
    heard: Callable[[Message], Awaitable[None]],
) -> ServiceStatus:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LONGEST_LINE,
        start_new_session=True,
    )
    try:
        async for line in _lines(process):
            await _take(line, session, heard)
        exit_status = await process.wait()
    except BaseException:
        await asyncio.shield(_stop(process))
        raise
    return status_of(session.messages, exit_status)


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    if process.stdout is not None:
        async for line in process.stdout:
            yield line.decode("utf-8", "replace")


async def _take(line: str, session: _Session, heard: Callable[[Message], Awaitable[None]]) -> None:
    message = read_line(line)
    if message is None:
        return
    if message.kind in {"EndOfJob", "Error"}:
        session.messages.append(message)
    await heard(message)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Interrupt the program as a person at a terminal would; kill it if it does not end."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _plan_is_here(job: str, env: dict[str, str]) -> bool:
    """Tell whether this machine has the plan of a job, without which it cannot be resumed."""
    folder = env.get("AZCOPY_JOB_PLAN_LOCATION") or str(Path(env.get("HOME", "/")) / ".azcopy" / "plans")
    return bool(job) and any(Path(folder).glob(f"{job}*"))


def _done(message: Message) -> Tally:
    content = message.content
    return Tally(
        objects=int(content.get("TransfersCompleted") or 0),
        size_bytes=int(content.get("BytesOverWire") or 0),
    )


def _never_began(request: TransferRequest, status: ServiceStatus) -> IncompleteError:
    told = "; ".join(error.sample for error in status.errors[:3]) or "no word of a job"
    return IncompleteError(
        f"move of dataset {request.dataset!r} by AzCopy",
        got=told,
        expected="a job that begins",
        state="nothing was copied",
        remedy="correct what the program names, then clear this task",
        code="5544",
    )
