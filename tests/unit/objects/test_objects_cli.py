"""``heavylift objects`` as a person at a shell meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run


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


def test_a_run_leaves_an_intact_audit_trail(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str]
) -> None:
    source, target, evidence = folders
    heavylift(capsys, "objects", "copy", source, target, "--evidence", evidence)
    status, document, _ = heavylift(capsys, "audit", "verify", "--evidence", evidence, "--json")
    assert status == 0, document


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
    ],
)
def test_a_wrong_command_is_refused_and_says_why(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    status, _, error = heavylift(capsys, "objects", *arguments, "--evidence", f"file://{tmp_path}/evidence")
    assert status == 2
    assert message in error
