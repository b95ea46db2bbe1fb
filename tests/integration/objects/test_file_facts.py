"""Files keep time, mode and owner through every store, to and from rclone; what is lost is told."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from heavylift.platforms.places import Place
from heavylift.spec.datasets import Limits, Metadata, Verify
from heavylift.spec.vocabulary import PosixFact
from tests.integration.objects.places import Servers, move, transfer
from tests.integration.objects.test_rclone_agrees import rclone
from tests.support import shell
from tests.support.longer import first_then_long

ALL = Metadata(posix=tuple(PosixFact))
MIB = 2**20
LIMITS = Limits(part_size=5 * MIB)
Facts = tuple[int, int, int, int]


def write(folder: Path) -> Mapping[str, Facts]:
    """Write small, large and odd files; return time, mode, owner and group of each."""
    sizes = {"a/small": 10, "a/empty": 0, "large": 11 * MIB, "Z/read only é": 100, "program": 5}
    modes = {"Z/read only é": 0o444, "program": 0o755, "large": 0o600}
    for number, (name, size) in enumerate(sizes.items()):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(size))
        path.chmod(modes.get(name, 0o640))
        os.chown(path, os.getuid() + number * (os.getuid() == 0), os.getgid())
        os.utime(path, ns=(0, 1_234_567_890_123_456_789 - number * 10**17))
    return facts(folder)


def facts(folder: Path) -> Mapping[str, Facts]:
    """Return what the file system tells of every file."""
    found = {path.relative_to(folder).as_posix(): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {
        name: (each.st_mtime_ns, stat.S_IMODE(each.st_mode), each.st_uid, each.st_gid)
        for name, each in found.items()
    }


def folder_of(place: Place) -> Path:
    return Path(place.location.container)


@pytest.mark.parametrize("store", first_then_long(["aws_source", "gcp_target", "azure_target", "file"]))
async def test_files_come_back_from_a_store_as_they_were(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, store: str
) -> None:
    origin, goal = servers.place("file", new_container()), servers.place("file", new_container())
    between = servers.place(store, new_container(), "in/" if store != "file" else "")
    were = write(folder_of(origin))
    options: dict[str, Any] = {"metadata": ALL, "verify": Verify(all_attributes=True), "limits": LIMITS}
    for run, source, target in (("there", origin, between), ("back", between, goal)):
        plan, _, record = await move(transfer(source, target, tmp_path / run, run, **options))
        assert (record.passed, record.attributes_compared) == (True, len(were)), record.differences
        assert [each for each in plan.findings if each.rule == "attribute-not-holdable"] == []
    assert facts(folder_of(goal)) == were
    # A mode alone stands in no listing.
    (folder_of(goal) / "program").chmod(0o700)
    _, shards, record = await move(transfer(between, goal, tmp_path / "back", "again", **options))
    assert (sum(each.renewed for each in shards), record.passed) == (1, True)
    assert facts(folder_of(goal)) == were


@pytest.mark.long
async def test_rclone_reads_what_is_kept_and_the_other_way_round(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin, ours = servers.place("file", new_container()), servers.place("file", new_container())
    bucket, theirs = (
        servers.place("aws_source", new_container()),
        servers.place("aws_source", new_container()),
    )
    were = write(folder_of(origin))
    _, _, record = await move(transfer(origin, bucket, tmp_path / "e", metadata=ALL, limits=LIMITS))
    assert record.passed
    back = tmp_path / "by-rclone"
    done = rclone(servers, "copy", "-M", f"S:{bucket.location.container}", str(back))
    assert done.returncode == 0, done.stderr
    assert facts(back) == were
    done = rclone(servers, "copy", "-M", str(folder_of(origin)), f"S:{theirs.location.container}")
    assert done.returncode == 0, done.stderr
    _, _, record = await move(transfer(theirs, ours, tmp_path / "f", metadata=ALL, limits=LIMITS))
    assert record.passed, record.differences
    assert facts(folder_of(ours)) == were


async def test_a_command_brings_what_is_asked_for_and_nothing_of_files_unasked(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin, bucket = servers.place("file", new_container()), servers.place("aws_source", new_container())
    were = write(folder_of(origin))

    async def copy(*more: str) -> Any:
        places = [str(origin.location), str(bucket.location), "--target-conn", "aws_source"]
        arguments = ["objects", "copy", *places, "--evidence", f"file://{tmp_path}/evidence", "--json", *more]
        ended = await shell.start(arguments, os.environ | servers.stack.env).ended()
        assert ended[0] == 0, ended[2]
        return json.loads(ended[1])

    def kept() -> Any:
        return servers.s3("aws_source").head_object(Bucket=bucket.location.container, Key="program")[
            "Metadata"
        ]

    await copy()
    assert kept() == {}
    seen = await copy("--posix", "time", "--posix", "mode", "--verify-attributes")
    assert (seen["summary"]["moved"]["objects"], seen["verification"]["passed"]) == (len(were), True)
    seconds, nanoseconds = divmod(were["program"][0], 10**9)
    assert kept() == {"mtime": f"{seconds}.{nanoseconds:09d}", "mode": "100755"}
    status, _, errors = await shell.start(
        [
            "objects",
            "diff",
            str(origin.location),
            str(origin.location),
            "--posix",
            "time",
            "--no-user-metadata",
        ],
        os.environ,
    ).ended()
    assert (status, "HL-9231" in errors) == (2, True)
