"""A target without room: the run stops, says so, and goes on once there is room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import IncompleteError
from heavylift.objects.api import copy_shard, plan_transfer
from heavylift.platforms.ports import ObjectAttributes
from heavylift.spec.datasets import Limits
from tests.integration.objects.attempts import shards_of
from tests.integration.objects.places import Servers, transfer
from tests.integration.objects.proxied import origin, through
from tests.integration.objects.test_between_clouds import fill
from tests.support.fault_proxy import FaultProxy, running
from tests.support.fault_schedule import NEVER_ENDING, Schedule, Storm
from tests.support.small_disk import SmallDisk, small_disk

MIB = 2**20
REPOSITORY = Path(__file__).parents[3]


def copy(disk: SmallDisk, source: Path, evidence: Path) -> tuple[int, dict[str, Any], str]:
    urls = (f"file://{source}", f"file://{disk.folder}")
    options = ("--evidence", f"file://{evidence}", "--part-size", "5MiB", "--json")
    done = subprocess.run(
        disk.command(sys.executable, "-m", "heavylift", "objects", "copy", *urls, *options),
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "include")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def seen(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_disk_that_runs_full_ends_in_an_error_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    objects = {"large": os.urandom(14 * MIB), **{f"small{n}": os.urandom(100_000) for n in range(5)}}
    for name, body in objects.items():
        (source / name).write_bytes(body)
    with small_disk(tmp_path / "target", 8 * MIB) as disk:
        status, document, told = copy(disk, source, tmp_path / "evidence")
        assert status == 1, told
        [error] = document["errors"]
        assert "HL-3205" in error["got"]
        assert "To fix: free space or raise the quota" in error["got"]
        assert not document["verification"]["passed"]
        there = seen(disk.folder)
        assert "large" not in there
        assert there.items() <= objects.items()

        disk.grow(64 * MIB)
        status, document, told = copy(disk, source, tmp_path / "evidence")
        assert status == 0, told
        assert seen(disk.folder) == objects
        assert not list(disk.folder.glob(".heavylift-*"))


@pytest.mark.parametrize(
    ("server", "dialect", "fault", "code"),
    [
        ("aws_target", "s3", "full", "HL-3148"),
        ("aws_target", "s3", "quota", "HL-3148"),
        ("gcp_target", "gcs", "full", "HL-3010"),
        ("azure_target", "azure", "full", "HL-3010"),
    ],
)
async def test_a_store_without_room_stops_the_run_instead_of_refusing_each_object(
    servers: Servers,
    new_container: Callable[[], str],
    tmp_path: Path,
    server: str,
    dialect: str,
    fault: str,
    code: str,
) -> None:
    source, goal = servers.place("aws_source", new_container()), servers.place(server, new_container())
    await fill(source, {f"k{n:02d}": os.urandom(1000) for n in range(40)}, ObjectAttributes())
    connection = servers.connection(server)
    address = origin(str(connection.extra.get("endpoint_url") or connection.host))
    schedule = Schedule(0, storms=(Storm(fault, 15, NEVER_ENDING),))
    async with running(FaultProxy(address, schedule, dialect)) as proxy:
        request = transfer(
            source, through(goal, proxy), tmp_path / "evidence", limits=Limits(max_concurrency=4)
        )
        plan = await plan_transfer(request)
        with pytest.raises(IncompleteError, match=code):
            await copy_shard(request, plan.shards[0].index)
    [result] = shards_of(tmp_path, "one")
    assert result["moved"]["objects"] > 0
    assert 1 <= result["failed"]["objects"] <= 4
    assert result["left"]["objects"] == 40 - result["moved"]["objects"] - result["failed"]["objects"]
