"""The offline path on real servers, from the shell: plan, load, ship, ingest, reconcile, online delta."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.checksums import Algorithm, digest
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.wiring import open_store
from tests.integration.objects.places import Servers
from tests.integration.objects.test_between_clouds import contents, fill
from tests.support import shell
from tests.support.longer import first_then_long

MIB = 2**20
PLATFORMS = {"aws_target": "aws", "gcp_target": "gcp"}
ATTRIBUTES = ObjectAttributes(content_type="text/csv", metadata={"owner": "team"})


class Journey:
    """A migration of one dataset whose objects travel in folders that stand for devices."""

    def __init__(self, servers: Servers, origin: Place, goal: Place, folder: Path, server: str) -> None:
        self.servers, self.origin, self.goal, self.folder = servers, origin, goal, folder
        self.spec = folder / "offline.yaml"
        self.devices = folder / "mnt"
        self.devices.mkdir()
        document = {
            "apiVersion": "heavylift/v1",
            "migration": "offline",
            "owner": "team",
            "source": {"platform": "aws", "connection": "aws_source"},
            "target": {"platform": PLATFORMS[server], "connection": server},
            "datasets": [
                {
                    "name": "images",
                    "source": str(origin.location),
                    "target": str(goal.location),
                    "limits": {"part_size": "5MiB", "max_concurrency": 4},
                    "appliance": {
                        "device": {
                            "model": "box",
                            "capacity": "16MiB",
                            "max_object_size": "14MiB",
                            "names": "windows",
                        },
                        "mount": self.devices.as_uri(),
                        "require_mount_point": False,
                        "fill": 1.0,
                    },
                }
            ],
        }
        self.spec.write_text(yaml.safe_dump(document))

    def start(self, *arguments: str) -> shell.Command:
        evidence = ["--evidence", (self.folder / "evidence").as_uri(), "--json"]
        return shell.start([*arguments, *evidence], os.environ | self.servers.stack.env)

    async def run(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Run a command of the shell and return its document."""
        ended, output, errors = await self.start(*arguments).ended()
        assert ended == status, (arguments, output, errors)
        document: dict[str, Any] = json.loads(output)
        return document

    async def appliance(self, command: str, *arguments: str, status: int = 0) -> dict[str, Any]:
        return await self.run("appliance", command, str(self.spec), *arguments, status=status)

    async def deliver(self, device: str) -> Path:
        """Take a device from the order to its place here."""
        await self.appliance("step", device, "ordered", "--job", "JOB-7")
        mounted = self.devices / device
        mounted.mkdir()
        await self.appliance("step", device, "delivered", "--serial", f"SN-{device}", "--mounted-at", device)
        return mounted

    async def ship(self, device: str) -> None:
        await self.appliance("check", device)
        await self.appliance("step", device, "shipped", "--tracking", "1Z", "--seal", "4711")


@pytest.fixture
async def journey(
    request: pytest.FixtureRequest, servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> Journey:
    """Return a migration from S3 with its source filled: more than one device holds, one object too large."""
    origin = servers.place("aws_source", new_container())
    target = getattr(request, "param", "gcp_target")
    goal = servers.place(target, new_container())
    await fill(origin, OBJECTS, ATTRIBUTES)
    return Journey(servers, origin, goal, tmp_path, target)


ODD = {'quote"and<angle>.csv': b"no Windows name", "Readme.txt": b"upper", "readme.txt": b"lower"}
OBJECTS = {f"train/{n:03d}.csv": os.urandom(40_000) for n in range(60)}
OBJECTS |= {f"large/{n}.bin": os.urandom(11 * MIB) for n in range(2)}
OBJECTS |= {"huge.bin": os.urandom(15 * MIB)} | ODD


def digests(objects: dict[str, bytes]) -> dict[str, str]:
    return {key: hashlib.sha256(body).hexdigest() for key, body in objects.items()}


def on_device(folder: Path) -> dict[str, Path]:
    """Return the files of a device's data folder."""
    data = folder / "data"
    return {
        str(path.relative_to(data)): path
        for path in data.rglob("*")
        if path.is_file() and ".heavylift-" not in str(path)
    }


@pytest.mark.parametrize("journey", first_then_long(["gcp_target", "aws_target"]), indirect=True)
async def test_from_the_plan_to_a_verified_target(journey: Journey) -> None:
    plan = (await journey.appliance("plan"))["plan"]
    devices = [device["id"] for device in plan["devices"]]
    assert devices == ["images-01", "images-02"]
    assert plan["lower_bound"] == 2
    assert plan["online_reasons"] == {"too-large": 1}
    assert plan["shipped"]["objects"] + plan["online"]["objects"] == plan["found"]["objects"] == len(OBJECTS)
    assert (await journey.appliance("plan"))["plan"] == plan

    renamed = 0
    for device in devices:
        await journey.deliver(device)
        await journey.appliance("load", device)
        await journey.ship(device)
        await journey.appliance("ingest", device)
        found = (await journey.appliance("reconcile", device))["reconciliation"]
        assert found["passed"]
        assert found["equal"] == found["expected"]
        assert found["restored"] + found["renamed"] == found["expected"]["objects"]
        renamed += found["renamed"]
    assert renamed == len(ODD)
    standing = await journey.appliance("status")
    assert [device["state"] for device in standing["datasets"][0]["devices"]] == ["reconciled"] * 2
    assert standing["summary"]["moved"]["objects"] == len(OBJECTS) - 1
    assert standing["summary"]["left"]["objects"] == 1

    changed = {"train/000.csv": b"changed meanwhile", "train/new.csv": b"new"}
    await replace_on(journey.origin, changed)
    delta = await journey.appliance("delta")
    assert delta["plan"]["to_copy"]["objects"] == 3
    assert delta["plan"]["unchanged"]["objects"] == len(OBJECTS) - 2
    assert delta["verification"]["passed"]
    assert await contents(journey.goal) == digests(OBJECTS | changed)
    await journey.run("audit", "verify", "offline")


@pytest.mark.long
async def test_a_killed_load_goes_on_where_it_was(journey: Journey) -> None:
    await journey.appliance("plan")
    device = await journey.deliver("images-02")
    first = journey.start("appliance", "load", str(journey.spec), "images-02")
    deadline = time.monotonic() + 60
    while not any(device.rglob(".heavylift-*.upload/2-*")) and len(on_device(device)) < 20:
        assert first.status is None, first.end()
        assert time.monotonic() < deadline
    os.kill(first.pid, signal.SIGKILL)
    assert first.end()[0] == -signal.SIGKILL
    before = {name: path.stat().st_ino for name, path in on_device(device).items()}

    await journey.appliance("check", "images-02", status=1)
    loaded = (await journey.appliance("load", "images-02"))["load"]
    assert loaded["loaded"]["objects"] + loaded["unchanged"]["objects"] == loaded["found"]["objects"]
    after = {name: path.stat().st_ino for name, path in on_device(device).items()}
    assert before.items() <= after.items()
    assert (await journey.appliance("check", "images-02"))["check"]["passed"]
    again = (await journey.appliance("load", "images-02"))["load"]
    assert again["unchanged"] == again["found"]
    assert again["root_digest"] == loaded["root_digest"]


@pytest.mark.long
async def test_a_flipped_bit_is_found_before_shipping_and_after_the_ingest(journey: Journey) -> None:
    await journey.appliance("plan")
    device = await journey.deliver("images-02")
    await journey.appliance("load", "images-02")
    victim, gone = "train/007.csv", "train/008.csv"
    flip(on_device(device)[victim])
    on_device(device)[gone].unlink()
    (device / "data" / "stranger.txt").write_text("not ours")
    found = (await journey.appliance("check", "images-02", status=1))["check"]
    kinds = {bad["kind"]: bad["key"] or bad["stored_path"] for bad in found["bad"]}
    assert kinds == {"different": victim, "missing": gone, "extra": "stranger.txt"}
    await journey.appliance("step", "images-02", "shipped", "--tracking", "1Z", status=1)

    (device / "data" / "stranger.txt").unlink()
    assert (await journey.appliance("load", "images-02"))["load"]["loaded"]["objects"] == 2
    await journey.ship("images-02")

    flip(on_device(device)[victim])
    on_device(device)[gone].unlink()
    await journey.appliance("ingest", "images-02")
    found = (await journey.appliance("reconcile", "images-02", status=1))["reconciliation"]
    assert {bad["kind"]: bad["key"] for bad in found["bad"]} == {"different": victim, "missing": gone}
    await journey.appliance("delta", status=1)

    handed = ("reconcile", "images-02", "--hand-over", "two damaged objects")
    await journey.appliance(*handed, status=1)
    await journey.appliance("step", "images-01", "lost", "--reason", "never ordered")
    delta = await journey.appliance("delta")
    assert delta["verification"]["passed"]
    assert await contents(journey.goal) == digests(OBJECTS)


@pytest.mark.long
async def test_the_objects_of_a_lost_device_travel_on_another_one(journey: Journey) -> None:
    plan = (await journey.appliance("plan"))["plan"]
    await journey.deliver("images-01")
    await journey.appliance("load", "images-01")
    await journey.ship("images-01")
    await journey.appliance("step", "images-01", "lost", "--reason", "fell off the lorry")
    await journey.appliance("load", "images-01", status=1)

    again = (await journey.appliance("plan"))["plan"]
    assert (again["number"], again["run"]) == (2, plan["run"])
    instead = again["devices"][-1]
    assert (instead["id"], instead["replaces"]) == ("images-03", "images-01")
    assert instead["rows"] == plan["devices"][0]["rows"]
    for device in ("images-02", "images-03"):
        await journey.deliver(device)
        await journey.appliance("load", device)
        await journey.ship(device)
        await journey.appliance("ingest", device)
        await journey.appliance("reconcile", device)
    assert (await journey.appliance("status"))["summary"]["moved"]["objects"] == len(OBJECTS) - 1
    assert (await journey.appliance("delta"))["verification"]["passed"]


def flip(path: Path) -> None:
    """Turn one bit of a file over."""
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


async def replace_on(place: Place, objects: dict[str, bytes]) -> None:
    """Write objects to the source, whatever is there."""
    async with open_store(place.location, place.connection) as store:
        for key, body in objects.items():
            sums = digest(body, Algorithm.CRC32C, Algorithm.MD5)
            await store.put(place.location.prefix + key, body, ATTRIBUTES, sums, create_only=False)
