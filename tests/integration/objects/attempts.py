"""One attempt of a round, in this process or in one of its own that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.errors import HeavyliftError
from heavylift.objects.api import TransferRequest, copy_shard, plan_transfer, verify_and_clean
from tests.integration.objects.places import transfer
from tests.integration.objects.proxied import connection_text, through
from tests.support.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from tests.integration.objects.fault_rounds import Running

REPOSITORY = Path(__file__).parents[3]
LONGEST_SECONDS = 150


@dataclass
class Attempt:
    """What an attempt said of itself.

    :param done: it claims that all is on the target and proved.
    :param errors: the five parts of each error that it ended with.
    :param differs: it says that the two sides are not equal.
    :param text: all that it printed.
    """

    done: bool = False
    killed: bool = False
    differs: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)
    shards: list[dict[str, Any]] = field(default_factory=list)
    verifications: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""

    def failed(self, error: HeavyliftError) -> None:
        """Take in an error."""
        self.errors.append(error.attrs())
        self.text += f"{error}\n"


async def in_this_process(
    round_: Running,
    run: str,
    before_source: FaultProxy | None,
    before_target: FaultProxy | None,
    end_at: int,
) -> Attempt:
    """Plan, copy and verify by the library, as the operators do; cancel it at the given request."""
    from tests.integration.objects.fault_rounds import limits

    attempt = Attempt()
    request = transfer(
        through(round_.origin, before_source),
        through(round_.goal, before_target),
        round_.folder / "evidence",
        run,
        **limits(),
    )
    task = asyncio.create_task(_moved(request, attempt))
    try:
        with ended_at(before_target or before_source, end_at, task.cancel):
            async with asyncio.timeout(LONGEST_SECONDS):
                await task
    except HeavyliftError as error:
        attempt.failed(error)
    except asyncio.CancelledError:
        attempt.killed = True
    attempt.shards = shards_of(round_.folder, run)
    return attempt


async def _moved(request: TransferRequest, attempt: Attempt) -> None:
    plan = await plan_transfer(request)
    for shard in plan.shards:
        try:
            await copy_shard(request, shard.index)
        except HeavyliftError as error:
            attempt.failed(error)
    record, cleaning = await verify_and_clean(request)
    attempt.verifications.append(record.model_dump(mode="json"))
    attempt.text += f"{cleaning}\n"
    attempt.differs = not record.passed
    attempt.done = record.passed and not attempt.errors


@contextmanager
def ended_at(proxy: FaultProxy | None, end_at: int, end: Callable[[], object]) -> Iterator[None]:
    """Call ``end`` at the request that is so many after the last one; 0 means never."""
    if proxy is None or not end_at:
        yield
        return
    last = proxy.number + end_at

    def tell(number: int) -> None:
        if number == last:
            end()

    proxy.watch.append(tell)
    try:
        yield
    finally:
        proxy.watch.remove(tell)


def shards_of(folder: Path, run: str) -> list[dict[str, Any]]:
    """Return the results that all attempts at all shards of a run have left as evidence."""
    found = (folder / "evidence" / "m" / "transfer" / run).rglob("result.json")
    return [json.loads(path.read_text()) for path in found]


async def in_a_process(
    round_: Running,
    run: str,
    before_source: FaultProxy | None,
    before_target: FaultProxy | None,
    end_at: int,
) -> Attempt:
    """Run ``heavylift objects copy`` as a shell would; kill it at the given request of one side."""
    attempt = Attempt()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "heavylift",
        "objects",
        "copy",
        str(round_.origin.location),
        str(round_.goal.location),
        *(() if round_.drawn.source == "file" else ("--source-conn", "source_side")),
        *(() if round_.drawn.target == "file" else ("--target-conn", "target_side")),
        *("--evidence", f"file://{round_.folder / 'evidence'}", "--migration", "m", "--json"),
        *("--part-size", "5MiB", "--concurrency", "8", "--stall-timeout", "2s"),
        env=_environment(round_, before_source, before_target),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        with ended_at(before_target or before_source, end_at, lambda: _kill(process)):
            async with asyncio.timeout(LONGEST_SECONDS):
                output, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    attempt.text = output.decode() + told.decode()
    attempt.killed = process.returncode == -signal.SIGKILL
    if not attempt.killed:
        _read(attempt, json.loads(output), process.returncode)
    return attempt


def _kill(process: Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)


def _read(attempt: Attempt, document: dict[str, Any], status: int | None) -> None:
    assert document["exit_status"] == status
    attempt.done = status == 0
    attempt.errors = [*document.get("errors", []), *([document["error"]] if "error" in document else [])]
    attempt.shards = document.get("shards", [])
    if "verification" in document:
        attempt.verifications.append(document["verification"])
        attempt.differs = not document["verification"]["passed"]


def _environment(
    round_: Running, before_source: FaultProxy | None, before_target: FaultProxy | None
) -> dict[str, str]:
    known = round_.servers.stack.env
    found = {
        f"AIRFLOW_CONN_{side}_SIDE": connection_text(known[f"AIRFLOW_CONN_{server.upper()}"], proxy)
        for side, server, proxy in (
            ("SOURCE", round_.drawn.source, before_source),
            ("TARGET", round_.drawn.target, before_target),
        )
        if server != "file"
    }
    return {**os.environ, **found, "PYTHONPATH": str(REPOSITORY / "include")}
