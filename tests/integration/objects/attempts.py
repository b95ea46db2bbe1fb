"""One attempt of a round, in this process or in one of its own that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.errors import HeavyliftError
from heavylift.objects.api import clean_after_verification, copy_shard, plan_transfer, verify_transfer
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
    kill_at: int,
) -> Attempt:
    """Plan, copy and verify by the library, as the operators do."""
    from tests.integration.objects.fault_rounds import limits

    attempt = Attempt()
    request = transfer(
        through(round_.origin, before_source),
        through(round_.goal, before_target),
        round_.folder / "evidence",
        run,
        **limits(),
    )
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            plan = await plan_transfer(request)
            for shard in plan.shards:
                try:
                    await copy_shard(request, shard.index)
                except HeavyliftError as error:
                    attempt.failed(error)
            record = await verify_transfer(request)
            cleaning = await clean_after_verification(request, record)
    except HeavyliftError as error:
        attempt.failed(error)
    else:
        attempt.verifications.append(record.model_dump(mode="json"))
        attempt.text += f"{cleaning}\n"
        attempt.differs = not record.passed
        attempt.done = record.passed and not attempt.errors
    attempt.shards = shards_of(round_.folder, run)
    return attempt


def shards_of(folder: Path, run: str) -> list[dict[str, Any]]:
    """Return the results that all attempts at all shards of a run have left as evidence."""
    found = (folder / "evidence" / "m" / "transfer" / run).rglob("result.json")
    return [json.loads(path.read_text()) for path in found]


async def in_a_process(
    round_: Running,
    run: str,
    before_source: FaultProxy | None,
    before_target: FaultProxy | None,
    kill_at: int,
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
        *(("--source-conn", "source_side") if before_source else ()),
        *(("--target-conn", "target_side") if before_target else ()),
        *("--evidence", f"file://{round_.folder / 'evidence'}", "--migration", "m", "--json"),
        *("--part-size", "5MiB", "--concurrency", "8", "--stall-timeout", "2s"),
        env=_environment(round_, before_source, before_target),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    watched = before_target or before_source
    assert watched is not None
    from_here = watched.number + kill_at

    def kill(number: int) -> None:
        if kill_at and number >= from_here and process.returncode is None:
            process.send_signal(signal.SIGKILL)

    watched.watch = kill
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            output, told = await process.communicate()
    finally:
        watched.watch = lambda _number: None
        if process.returncode is None:
            process.kill()
    attempt.text = output.decode() + told.decode()
    attempt.killed = process.returncode == -signal.SIGKILL
    if not attempt.killed:
        _read(attempt, json.loads(output), process.returncode)
    return attempt


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
