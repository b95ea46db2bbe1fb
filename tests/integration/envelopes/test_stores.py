"""Envelopes from S3 to every store: in parts, killed with -9 in the middle, and opened again by others."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heavylift.envelopes.requests import MIB, KeyChoice
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from sandbox.stack import Stack
from tests.integration.objects.places import Servers
from tests.integration.objects.test_between_clouds import contents, fill
from tests.integration.objects.test_kill import parts_on
from tests.support.envelopes import Envelopes, folder_place, local_key
from tests.support.longer import first_then_long

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def servers(sandbox: Stack, tmp_path: Path) -> Servers:
    return Servers(sandbox, tmp_path)


def container() -> str:
    return f"envelopes-{secrets.token_hex(6)}"


def command(servers: Servers, source: Place, target: Place, root: Path, key: KeyChoice) -> list[str]:
    servers.stack.env["AIRFLOW_CONN_ENVELOPE"] = (
        f'{{"conn_type": "envelope_key", "password": "{key.connection.password}"}}'
    )
    return [
        sys.executable, "-m", "heavylift", "envelopes", "seal", str(source.location), str(target.location),
        "--plain-conn", "aws_source", "--sealed-conn", "aws_target", "--key-conn", "envelope",
        "--migration", "m", "--name", "models", "--evidence", f"file://{root}/evidence", "--json",
    ]  # fmt: skip


def started(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.long
async def test_a_sealing_killed_in_the_middle_goes_on_with_its_parts(
    servers: Servers, tmp_path: Path
) -> None:
    source, target = servers.place("aws_source", container()), servers.place("aws_target", container())
    objects = {"model.bin": os.urandom(120 * MIB), "config.json": b"{}"}
    await fill(source, objects, ObjectAttributes())
    key, client = local_key("envelope"), servers.s3("aws_target")
    arguments = command(servers, source, target, tmp_path, key)
    environment = os.environ | servers.stack.env | {"PYTHONPATH": str(REPOSITORY / "include")}
    first = started(arguments, environment)
    deadline = time.monotonic() + 120
    while parts_on(client, target.location.container) < 2 and time.monotonic() < deadline:
        assert first.poll() is None, first.communicate()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    finished = parts_on(client, target.location.container)
    assert finished >= 2
    assert "model.bin.sealed" not in await contents(target)
    second = started(arguments, environment)
    output, errors = second.communicate()
    assert second.returncode == 0, errors
    assert str(key.connection.password) not in output + errors + " ".join(arguments)
    record = json.loads(output)["envelope"]
    assert record["passed"]
    # What had arrived was not sent again.
    assert record["sent_bytes"] < 121 * MIB - finished * 8 * MIB + 64 * 1024


async def _sealed_on(servers: Servers, target: str, tmp_path: Path) -> tuple[Envelopes, dict[str, bytes]]:
    source, place = servers.place("aws_source", container()), servers.place(target, container(), "models/")
    objects = {"v1/model.bin": os.urandom(20 * MIB + 11), "v1/card.json": b"{}", "v1/empty": b""}
    await fill(source, objects, ObjectAttributes())
    return Envelopes(tmp_path, local_key(), place, source), objects


@pytest.mark.parametrize(
    "target", first_then_long(["gcp_target", "azure_target", "aws_target", "aws_control"])
)
async def test_sealed_in_parts_on_every_store_and_opened_again(
    servers: Servers, target: str, tmp_path: Path
) -> None:
    made, objects = await _sealed_on(servers, target, tmp_path)
    record = await asyncio.to_thread(made.act, "seal")
    assert (record.done, record.failed, record.passed) == (3, 0, True), record.failures
    again = await asyncio.to_thread(made.act, "seal")
    assert (again.equal, again.sent_bytes) == (3, 0)
    assert (await asyncio.to_thread(made.act, "verify")).passed
    opened = await asyncio.to_thread(made.act, "open", folder_place(tmp_path / "opened"))
    assert opened.passed, opened.failures
    for name, data in objects.items():
        assert (tmp_path / "opened" / name).read_bytes() == data
    # Sealed back into a store in which what is opened goes up in parts, too.
    back = servers.place("aws_target", container())
    opened = await asyncio.to_thread(made.act, "open", back)
    assert opened.passed, opened.failures
    assert set(await contents(back)) == set(objects)
