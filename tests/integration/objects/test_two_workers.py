"""Two workers at once: on two shards they do not meet; on one, by mistake, they end right and say so."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from heavylift.evidence.records import RunKey, ShardResult
from heavylift.evidence.run_evidence import counts_of, read_dataset
from heavylift.evidence.store import open_evidence
from heavylift.objects.api import TransferRequest, plan_transfer, verify_transfer
from heavylift.objects.manifest import read_settled
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.spec.datasets import Limits
from tests.integration.objects.places import Servers, transfer
from tests.integration.objects.test_between_clouds import contents, fill
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.frozen import freeze

MIB = 2**20
REPOSITORY = Path(__file__).parents[3]
LIMITS = Limits(part_size=5 * MIB, shard_objects=31)
# Keys sort so that each of two shards gets thirty small objects and one of five parts.
OBJECTS = {
    **{f"{half}/small/{number:02d}": os.urandom(3000 + number) for half in "ab" for number in range(30)},
    "a/large": os.urandom(21 * MIB),
    "b/large": os.urandom(21 * MIB),
}


class Workers:
    """Starts processes that copy shards of one plan; the target is reached through a proxy."""

    def __init__(
        self, servers: Servers, origin: Place, goal: Place, evidence: Path, proxy: FaultProxy
    ) -> None:
        self._origin, self._goal, self._evidence = origin, goal, evidence
        connection = json.loads(servers.stack.env["AIRFLOW_CONN_AWS_TARGET"])
        connection["extra"]["endpoint_url"] = proxy.url
        self._env = (
            os.environ
            | servers.stack.env
            | {
                "AIRFLOW_CONN_AWS_TARGET": json.dumps(connection),
                "PYTHONPATH": f"{REPOSITORY / 'include'}:{REPOSITORY}",
            }
        )

    def start(self, shard: int, attempt: int, rate: int) -> subprocess.Popen[str]:
        """Start a worker; the rate is that of the whole dataset, which two workers share."""
        places = [str(self._origin.location), "aws_source", str(self._goal.location), "aws_target"]
        rest = [f"file://{self._evidence}", "one", str(shard), str(attempt), "2", str(rate)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.shard_worker", *places, *rest],
            env=self._env,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


async def result_of(worker: subprocess.Popen[str]) -> ShardResult:
    output, errors = await asyncio.to_thread(worker.communicate)
    assert worker.returncode == 0, errors
    return ShardResult.model_validate_json(output.splitlines()[-1])


async def until(condition: Callable[[], Awaitable[bool]], *workers: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not await condition():
        assert time.monotonic() < deadline
        assert all(worker.poll() is None for worker in workers), "ended before anything could happen to it"
        await asyncio.sleep(0.05)


def writes(proxy: FaultProxy) -> dict[str, int]:
    """Return how often each object or part was sent."""
    return {line: count for line, count in proxy.seen.items() if line.startswith("PUT ")}


async def evidence_is_whole(request: TransferRequest, folder: Path) -> None:
    """Demand that the run's evidence names every object and that its counts add up."""
    async with open_evidence(request.evidence_url) as evidence:
        found = await read_dataset(evidence, RunKey(migration="m", phase="transfer", run="one"), "d")
        counts = counts_of(found)
        rels: set[str] = set()
        for name in await evidence.names("m/transfer/one/d/shards"):
            if name.endswith(".parquet"):
                await evidence.fetch(name, folder / "manifest.parquet")
                rels |= read_settled(folder / "manifest.parquet")[0]
    assert found.unfinished_shards == ()
    assert rels == set(OBJECTS)
    assert (counts.found.objects, counts.failed.objects, counts.left.objects) == (len(OBJECTS), 0, 0)
    assert counts.moved.objects + counts.unchanged.objects == len(OBJECTS)


def uploads_on(servers: Servers, goal: Place) -> list[object]:
    client = servers.s3("aws_target")
    uploads: list[object] = client.list_multipart_uploads(Bucket=goal.location.container).get("Uploads", [])
    return uploads


async def test_two_shards_on_two_workers_and_a_kill_of_one(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin, goal = servers.place("aws_source", new_container()), servers.place("aws_target", new_container())
    await fill(origin, OBJECTS, ObjectAttributes())
    request = transfer(origin, goal, tmp_path / "evidence", limits=LIMITS)
    plan = await plan_transfer(request)
    assert [shard.objects for shard in plan.shards] == [31, 31]
    async with fault_proxy(servers.stack.endpoints["aws_target"], 0, {}) as proxy:
        workers = Workers(servers, origin, goal, tmp_path / "evidence", proxy)
        killed, other = workers.start(0, 1, 12 * MIB), workers.start(1, 1, 12 * MIB)

        async def both_at_work() -> bool:
            parts = [line for line in writes(proxy) if "partNumber=" in line]
            return {"a/large" in line for line in parts} == {True, False}

        await until(both_at_work, killed, other)
        killed.send_signal(signal.SIGKILL)
        await asyncio.to_thread(killed.communicate)
        there = {f"PUT /{goal.location.container}/{key}" for key in await contents(goal)}
        before = writes(proxy)
        again = workers.start(0, 2, 0)
        first, second = await result_of(other), await result_of(again)
        sent_since = {line for line, count in writes(proxy).items() if count > before.get(line, 0)}
    assert (first.attempt, first.moved.objects, first.failed.objects) == (1, 31, 0)
    assert (second.attempt, second.failed.objects, second.left.objects) == (2, 0, 0)
    assert second.moved.objects + second.unchanged.objects == 31
    assert not sent_since & there, "what was on the target was sent again"
    assert all(count == 1 for line, count in writes(proxy).items() if "/b/" in line)
    assert uploads_on(servers, goal) == []
    assert await contents(goal) == {key: hashlib.sha256(body).hexdigest() for key, body in OBJECTS.items()}
    assert (await verify_transfer(request)).passed
    await evidence_is_whole(request, tmp_path)


@pytest.mark.long
async def test_one_shard_by_two_workers_ends_right_and_says_so(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    """The first was taken for dead, and was not."""
    origin, goal = servers.place("aws_source", new_container()), servers.place("aws_target", new_container())
    await fill(origin, OBJECTS, ObjectAttributes())
    request = transfer(
        origin, goal, tmp_path / "evidence", limits=LIMITS.model_copy(update={"shard_objects": 100})
    )
    assert len((await plan_transfer(request)).shards) == 1
    async with fault_proxy(servers.stack.endpoints["aws_target"], 0, {}) as proxy:
        workers = Workers(servers, origin, goal, tmp_path / "evidence", proxy)
        undead = workers.start(0, 1, 8 * MIB)

        async def has_sent_a_part() -> bool:
            return any("partNumber=" in line for line in writes(proxy))

        await until(has_sent_a_part, undead)
        freeze(undead.pid)
        retry = workers.start(0, 2, 0)
        second = await result_of(retry)
        undead.send_signal(signal.SIGCONT)
        results = [await result_of(undead), second]
    assert [result.attempt for result in results] == [1, 2]
    for result in results:
        assert (result.failed.objects, result.left.objects, result.vanished.objects) == (0, 0, 0)
        assert result.moved.objects + result.unchanged.objects == len(OBJECTS)
    assert results[0].overlapped == (2,)
    assert uploads_on(servers, goal) == []
    assert await contents(goal) == {key: hashlib.sha256(body).hexdigest() for key, body in OBJECTS.items()}
    assert (await verify_transfer(request)).passed
    await evidence_is_whole(request, tmp_path)
