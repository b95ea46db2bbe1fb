"""``heavylift objects`` as a person at a shell meets it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.errors import PermanentError
from heavylift.locations import Location
from heavylift.objects import copy as copying
from heavylift.platforms.local.posix import PosixStore
from heavylift.platforms.ports import ObjectAttributes


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str, str]:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    for number in range(5):
        (tmp_path / "source" / f"f{number}").write_bytes(b"x" * number)
    return (f"file://{tmp_path}/source", f"file://{tmp_path}/target", f"file://{tmp_path}/evidence")


def heavylift(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    status = run(app, list(arguments))
    out, err = capsys.readouterr()
    return status, json.loads(out) if "--json" in arguments else out, err


def test_copy_then_copy_again(capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str]) -> None:
    source, target, evidence = folders
    status, document, _ = heavylift(
        capsys, "objects", "copy", source, target, "--evidence", evidence, "--json"
    )
    assert (status, document["exit_status"]) == (0, 0)
    assert document["plan"]["to_copy"]["objects"] == 5
    assert document["verification"]["passed"]
    assert document["summary"]["moved"]["objects"] == 5
    status, document, _ = heavylift(
        capsys, "objects", "sync", source, target, "--evidence", evidence, "--json"
    )
    assert (status, document["plan"]["to_copy"]["objects"], document["shards"]) == (0, 0, [])


@pytest.mark.parametrize("leave", ["content-headers", "user-metadata", "tags"])
def test_what_is_left_behind_on_purpose_is_no_difference(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], tmp_path: Path, leave: str
) -> None:
    source, target, evidence = folders
    there = ObjectAttributes(content_type="a/b", metadata={"m": "1"}, tags={"t": "2"})
    put_file(tmp_path / "source", "full", there)
    places = (source, target, "--evidence", evidence, f"--no-{leave}")
    status, _, err = heavylift(capsys, "objects", "copy", *places)
    assert status == 0, err
    assert heavylift(capsys, "objects", "verify", *places)[0] == 0
    lost = {
        "content-headers": {"content_type": None},
        "user-metadata": {"metadata": {}},
        "tags": {"tags": {}},
    }
    assert attributes_of(tmp_path / "target", "full") == replace(there, **lost[leave])


def put_file(folder: Path, key: str, attributes: ObjectAttributes) -> None:
    async def put() -> None:
        store = PosixStore(Location("file", str(folder)))
        await store.put(key, b"body", attributes, digest(b"body", Algorithm.CRC32C))
        await store.close()

    asyncio.run(put())


def attributes_of(folder: Path, key: str) -> ObjectAttributes:
    async def head() -> ObjectAttributes:
        store = PosixStore(Location("file", str(folder)))
        found = (await store.head(key)).attributes
        await store.close()
        return found

    return asyncio.run(head())


def test_a_process_ends_with_its_status_and_without_another_word(
    folders: tuple[str, str, str], repository: Path
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "heavylift",
            "objects",
            "copy",
            *folders[:2],
            "--evidence",
            folders[2],
            "--json",
        ],
        env={**os.environ, "PYTHONPATH": str(repository / "include")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == json.loads(done.stdout)["exit_status"] == 0
    [progress] = done.stderr.splitlines()
    assert progress.startswith("shard 1/1: copied 5 of 5 objects")


def test_a_run_leaves_an_intact_audit_trail(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str]
) -> None:
    source, target, evidence = folders
    heavylift(capsys, "objects", "copy", source, target, "--evidence", evidence)
    status, document, _ = heavylift(capsys, "audit", "verify", "--evidence", evidence, "--json")
    assert status == 0, document


@pytest.mark.parametrize(
    ("command", "action"),
    [(["diff"], "plan.written"), (["copy", "--dry-run"], "plan.written"), (["verify"], "dataset.verified")],
    ids=["diff", "dry run", "verify"],
)
def test_what_only_looks_is_in_the_trail_too(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], command: list[str], action: str
) -> None:
    source, target, evidence = folders
    heavylift(capsys, "objects", command[0], source, target, *command[1:], "--evidence", evidence)
    status, document, _ = heavylift(capsys, "audit", "verify", "--evidence", evidence, "--json")
    assert (status, document["migrations"][0]["evidence_checked"] > 0) == (0, True)
    _, document, _ = heavylift(capsys, "audit", "show", "shell", "--evidence", evidence, "--json")
    assert [entry["action"] for entry in document["entries"]] == [action]


def test_diff_and_verify_end_with_one_where_the_sides_differ(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], tmp_path: Path
) -> None:
    source, target, evidence = folders
    assert heavylift(capsys, "objects", "diff", source, target, "--evidence", evidence)[0] == 1
    heavylift(capsys, "objects", "copy", source, target, "--evidence", evidence)
    assert heavylift(capsys, "objects", "diff", source, target, "--evidence", evidence)[0] == 0
    assert heavylift(capsys, "objects", "verify", source, target, "--evidence", evidence)[0] == 0
    (tmp_path / "target" / "f3").write_bytes(b"yyy")
    status, text, _ = heavylift(capsys, "objects", "verify", source, target, "--evidence", evidence)
    assert status == 1
    assert "NOT EQUAL" in text
    assert "f3" in text


def test_a_dry_run_touches_nothing(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], tmp_path: Path
) -> None:
    source, target, evidence = folders
    status, text, _ = heavylift(
        capsys, "objects", "copy", source, target, "--evidence", evidence, "--dry-run"
    )
    assert status == 0
    assert "to copy" in text
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("copy", "ftp://a/b", "file:///x"), "s3://"),
        (("copy", "s3://bucket/", "file:///x"), "--source-conn"),
        (("copy", "s3://bucket/", "file:///x", "--source-conn", "nobody"), "AIRFLOW_CONN_NOBODY"),
        (("copy", "file:///a", "file:///b", "--bandwidth", "fast"), "200MiB/s"),
        (("verify", "file:///a", "file:///b", "--include", "[z-a]"), "[z-a]"),
        (("copy", "file:///a", "file:///b", "--part-size", "1B"), "--part-size from 5MiB to 5GiB"),
        (("sync", "file:///a", "file:///b", "--part-size", "1GiB"), "--memory 2GiB or more"),
    ],
)
def test_a_wrong_command_is_refused_and_says_why(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    status, _, error = heavylift(capsys, "objects", *arguments, "--evidence", f"file://{tmp_path}/evidence")
    assert status == 2
    assert message in error


def test_a_sync_deletes_what_has_gone_only_where_it_is_told_to(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], tmp_path: Path
) -> None:
    source, target, evidence = folders
    both = (source, target, "--evidence", evidence, "--json")
    heavylift(capsys, "objects", "copy", *both)
    (tmp_path / "source" / "f1").unlink()
    status, document, _ = heavylift(capsys, "objects", "sync", *both)
    assert (status, document["deletes"], document["verification"]["extra"]) == (0, None, 1)
    again = ("objects", "sync", *both, "--deletes", "propagate")
    status, document, _ = heavylift(capsys, *again, "--dry-run")
    assert (status, document["plan"]["to_delete"]["objects"]) == (0, 1)
    assert (tmp_path / "target" / "f1").exists()
    status, document, _ = heavylift(capsys, *again)
    assert (status, document["deletes"]["deleted"]["objects"]) == (0, 1)
    assert not (tmp_path / "target" / "f1").exists()
    assert document["summary"]["passed"]


def test_a_sync_of_an_emptied_source_fails_and_says_why(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], tmp_path: Path
) -> None:
    source, target, evidence = folders
    both = (source, target, "--evidence", evidence, "--json")
    heavylift(capsys, "objects", "sync", *both)
    for path in (tmp_path / "source").iterdir():
        path.unlink()
    status, document, err = heavylift(capsys, "objects", "sync", *both, "--deletes", "quarantine")
    assert (status, document["errors"][0]["code"]) == (1, "HL-5044")
    assert "--allow-many-deletes" in err
    assert any("gone from the source" in reason for reason in document["summary"]["reasons"])
    status, document, _ = heavylift(
        capsys, "objects", "sync", *both, "--deletes", "quarantine", "--allow-many-deletes"
    )
    assert (status, document["deletes"]["quarantined"]["objects"]) == (0, 5)


def test_status_tells_the_watermark(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str]
) -> None:
    source, target, evidence = folders
    _, synced, _ = heavylift(capsys, "objects", "sync", source, target, "--evidence", evidence, "--json")
    status, document, _ = heavylift(capsys, "status", "shell", "--evidence", evidence, "--json")
    [mark] = document["watermarks"]
    assert (status, mark["objects"], mark["root"]) == (0, 5, synced["verification"]["root"])
    assert synced["summary"]["roots"] == {mark["dataset"]: mark["root"]}
    assert mark["listed_at"] < mark["verified_at"]
    _, text, _ = heavylift(capsys, "status", "shell", "--evidence", evidence)
    assert f"{mark['listed_at'][:19].replace('T', ' ')} UTC" in text


def test_the_trees_of_two_runs_tell_what_changed(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], tmp_path: Path
) -> None:
    source, target, evidence = folders
    runs = []
    for body in (b"x", b"x", b"changed"):
        if body != b"x":
            (tmp_path / "source" / "f1").write_bytes(body)
        _, document, _ = heavylift(
            capsys, "objects", "sync", source, target, "--evidence", evidence, "--json"
        )
        runs.append(document["verification"]["run"]["run"])
        dataset = document["verification"]["dataset"]
    common = ("--evidence", evidence, "--json")
    status, document, _ = heavylift(capsys, "objects", "tree", "shell", dataset, *runs[:2], *common)
    assert (status, document["leaves"], document["keys"]) == (0, 0, [])
    status, document, _ = heavylift(capsys, "objects", "tree", "shell", dataset, *runs[1:], *common)
    assert (status, document["leaves"], document["keys"]) == (1, 1, ["f1"])
    status, document, _ = heavylift(capsys, "objects", "tree", "shell", dataset, runs[0], "none", *common)
    assert (status, document["error"]["code"]) == (2, "HL-5045")


def test_what_was_put_aside_can_be_brought_back_and_ended(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], tmp_path: Path
) -> None:
    source, target, evidence = folders
    both = (source, target, "--evidence", evidence, "--json")
    heavylift(capsys, "objects", "sync", *both)
    (tmp_path / "source" / "f1").unlink()
    (tmp_path / "source" / "f2").unlink()
    heavylift(capsys, "objects", "sync", *both, "--deletes", "quarantine")
    status, document, _ = heavylift(capsys, "objects", "restore", *both, "--include", "f1")
    assert (status, document["quarantine"]["done"]["objects"]) == (0, 1)
    assert (tmp_path / "target" / "f1").read_bytes() == b"x"
    status, document, _ = heavylift(capsys, "objects", "purge", *both, "--older-than", "30d")
    assert (status, document["quarantine"]["found"]["objects"]) == (0, 0)
    assert heavylift(capsys, "objects", "purge", *both, "--older-than", "soon")[0] == 2
    assert heavylift(capsys, "status", "shell", "--evidence", evidence)[0] == 0
    assert heavylift(capsys, "audit", "verify", "--evidence", evidence)[0] == 0


def test_each_object_that_failed_is_named_with_its_reason(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(copier: Any, row: Any) -> None:
        raise PermanentError(f"put of {row.rel}", got=f"a bad day for {row.rel}", remedy="wait", code="3000")

    monkeypatch.setattr(copying, "copy_object", refuse)
    arguments = ("objects", "copy", *folders[:2], "--processes", "1", "--evidence")
    status, text, _ = heavylift(capsys, *arguments, folders[2])
    assert status == 1
    assert all(f"  failed: f{n}: a bad day for f{n}; wait [HL-3000]" in text for n in range(5))
    status, document, _ = heavylift(capsys, *arguments, f"{folders[2]}-2", "--json")
    assert [each["key"] for shard in document["shards"] for each in shard["failures"]] != []
    assert sum(shard["failed"]["objects"] for shard in document["shards"]) == 5


def test_evidence_where_no_folder_can_be_is_a_wrong_command(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (f"file://{tmp_path}/file", f"file://{tmp_path}/file/below"):
        status, _, error = heavylift(capsys, "objects", "copy", *folders[:2], "--evidence", place)
        assert status == 2
        assert "HL-9229" in error
