"""kill -9 inside one large object: the parts that are finished are not sent again, on any target.

``HEAVYLIFT_FAULT_PARTS`` sets how many parts of 5 MiB the object has: 24 by default; 410 make 2 GiB.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import pytest

from heavylift.platforms.local.posix import PosixStore
from heavylift.platforms.places import Place
from heavylift.platforms.ports import PartReceipt, Upload
from tests.integration.objects import judge
from tests.integration.objects.drawn import PART
from tests.integration.objects.places import Servers
from tests.integration.objects.proxied import DIALECTS, connection_text, origin
from tests.support.fault_proxy import FaultProxy, running
from tests.support.fault_schedule import Schedule
from tests.support.longer import first_then_long

REPOSITORY = Path(__file__).parents[3]
PARTS = int(os.environ.get("HEAVYLIFT_FAULT_PARTS") or 24)
FIRST_RUN_SECONDS = 12
KEY = "large"


async def started(
    servers: Servers, source: Place, target: Place, server: str, proxy: FaultProxy | None, *more: str
) -> Process:
    known = servers.stack.env.get(f"AIRFLOW_CONN_{server.upper()}", "{}")
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "include"),
        "AIRFLOW_CONN_TARGET_SIDE": connection_text(known, proxy),
    }
    connection = () if server == "file" else ("--target-conn", "target_side")
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "heavylift", "objects", "copy", str(source.location), str(target.location)),
        *connection,
        *("--evidence", f"file://{servers.folder / 'evidence'}", "--part-size", "5MiB", "--json", *more),
        env=environment,
        stdout=PIPE,
        stderr=PIPE,
    )


def write_large(path: Path) -> str:
    """Write the object, the last part short, and return its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(PARTS):
            piece = os.urandom(PART if number < PARTS - 1 else PART // 2)
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


async def killed_midway(servers: Servers, source: Place, target: Place, server: str, container: str) -> int:
    """Run a first copy, kill it with parts finished, and return how many are."""
    rate = PARTS * PART // FIRST_RUN_SECONDS // 1024
    first = await started(servers, source, target, server, None, "--bandwidth", f"{rate}KiB/s")
    wanted, deadline = PARTS // 4, time.monotonic() + 20 * FIRST_RUN_SECONDS
    while await asyncio.to_thread(judge.finished_parts, servers, server, container, KEY) < wanted:
        assert first.returncode is None, (await first.communicate())[1].decode()
        assert time.monotonic() < deadline
    first.send_signal(signal.SIGKILL)
    await first.communicate()
    assert first.returncode == -signal.SIGKILL
    return judge.finished_parts(servers, server, container, KEY)


@pytest.mark.parametrize("server", first_then_long(["aws_target", "gcp_target", "azure_target"]))
async def test_only_unfinished_parts_are_sent_again(
    servers: Servers, new_container: Callable[[], str], server: str
) -> None:
    container = new_container()
    source, target = servers.place("file", f"{container}-source"), servers.place(server, container)
    expected = write_large(Path(source.location.container, KEY))
    finished = await killed_midway(servers, source, target, server, container)
    assert finished >= PARTS // 4
    assert judge.contents(servers, server, container) == {}

    connection = servers.connection(server)
    address = origin(str(connection.extra.get("endpoint_url") or connection.host))
    proxy = FaultProxy(address, Schedule(0), DIALECTS[server], large_bytes=PART // 2)
    async with running(proxy):
        second = await started(servers, source, target, server, proxy)
        output, told = await second.communicate()
    assert second.returncode == 0, told.decode()
    assert json.loads(output)["verification"]["passed"]
    assert 0 < len(proxy.large) <= PARTS - finished
    assert judge.sha256_of(servers, server, container, KEY) == expected
    assert judge.strays(servers, server, container) == set()


async def test_only_unfinished_parts_are_written_again_to_a_folder(
    servers: Servers, new_container: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from heavylift.cli import app
    from heavylift.cli.run import run

    container = new_container()
    source, target = servers.place("file", f"{container}-source"), servers.place("file", container)
    expected = write_large(Path(source.location.container, KEY))
    finished = await killed_midway(servers, source, target, "file", container)
    written: list[int] = []
    put_part = PosixStore.put_part

    async def counted(self: PosixStore, upload: Upload, number: int, body: bytes, crc32c: str) -> PartReceipt:
        if upload.key == KEY:
            written.append(number)
        return await put_part(self, upload, number, body, crc32c)

    monkeypatch.setattr(PosixStore, "put_part", counted)
    arguments = ["objects", "copy", str(source.location), str(target.location), "--part-size", "5MiB"]
    evidence = ["--evidence", f"file://{servers.folder / 'evidence'}"]
    assert await asyncio.to_thread(run, app, [*arguments, *evidence]) == 0
    assert 0 < len(written) <= PARTS - finished
    assert judge.sha256_of(servers, "file", container, KEY) == expected
    assert judge.strays(servers, "file", container) == set()
