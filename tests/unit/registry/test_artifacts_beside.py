"""Artifacts beside the rows: nothing is read before the moment is held, nothing goes on after."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.unit.house.modules import REPOSITORY

PREFACE = """
import multiprocessing, os, sys
from pathlib import Path
from heavylift.cli import registry_artifacts as artifacts
from heavylift.cli.processes import may_fork
from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.registry.requests import RegistryOptions, RegistryPlace, RegistryRequest
from heavylift.registry.uris import uri_map
from heavylift.spec.sections_data import RegistryPath

folder = Path(sys.argv[1])
pairs = [(f"file://{folder}/{name}", f"file://{folder}/new-{name}") for name in ("a", "b")]
for name in ("a", "b"):
    (folder / name).mkdir()
    (folder / f"new-{name}").mkdir()
    (folder / name / "first.bin").write_bytes(name.encode())

def request(path=RegistryPath.STORE):
    server = Connection("server", "mlflow", host="http://127.0.0.1:9")
    place = RegistryPlace(server, Connection("store", "postgres"))
    key = RunKey(migration="m", phase="registry", run="r1")
    options = RegistryOptions(path=path, uris=uri_map(pairs))
    return RegistryRequest(key, "history", place, place, f"file://{folder}/evidence", None, options)

def arrived(name):
    return sorted(each.name for each in (folder / f"new-{name}").glob("*"))
"""


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh Python: a process that has threads, such as pytest's, forks nothing."""
    return subprocess.run(
        [sys.executable, "-c", PREFACE + textwrap.dedent(script), str(folder)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "include")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_what_came_before_the_moment_is_there_and_a_second_run_copies_nothing(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        planned = artifacts._move_small
        def seen(transfers):
            assert (folder / "held").exists(), "listed before the moment was held"
            return planned(transfers)
        artifacts._move_small = seen
        assert may_fork()
        with artifacts.artifacts_beside(request(), "any", "any", None) as beside:
            assert len(multiprocessing.active_children()) == 1
            for name in ("a", "b"):
                (folder / name / "late.bin").write_bytes(b"late")
            (folder / "held").touch()
            beside.begin()
            beside.begin()
            documents, passed = beside.moved()
        assert passed, documents
        assert [(each["source"], each["target"]) for each in documents] == pairs
        assert [each["verification"]["passed"] for each in documents] == [True, True]
        for name in ("a", "b"):
            assert arrived(name) == ["first.bin", "late.bin"], arrived(name)
        assert multiprocessing.active_children() == []

        documents, passed = artifacts.move_artifacts(request(), "any", "any", None)
        assert passed
        assert [each["plan"]["to_copy"]["objects"] for each in documents] == [0, 0]
        """,
    )
    assert done.returncode == 0, done.stderr


def test_rows_that_fail_end_the_artifacts(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        try:
            with artifacts.artifacts_beside(request(), "any", "any", None):
                raise ValueError("the rows")
        except ValueError:
            pass
        else:
            sys.exit("the error was lost")
        assert multiprocessing.active_children() == []
        assert arrived("a") == arrived("b") == []
        """,
    )
    assert done.returncode == 0, done.stderr


def test_more_than_one_process_can_copy_faster_follows_after_the_rows(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        from heavylift.cli import copying
        from heavylift.objects import requests
        requests.OBJECTS_WORTH_A_SHARD = 1
        copying.processes_for = lambda *_: 2
        carried_out = []
        shards = copying.copy_shards
        copying.copy_shards = lambda *a, **k: carried_out.append(os.getpid()) or shards(*a, **k)
        for number in range(4):
            (folder / "a" / f"more{number}.bin").write_bytes(b"more")
        documents, passed = artifacts.move_artifacts(request(), "any", "any", None)
        assert passed, documents
        assert len(arrived("a")) == 5 and arrived("b") == ["first.bin"]
        assert carried_out == [os.getpid()], carried_out
        """,
    )
    assert done.returncode == 0, done.stderr


def test_what_is_refused_ends_it_and_the_interface_moves_none_here(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        from heavylift.errors import ConflictError
        (folder / "new-a" / "first.bin").write_bytes(b"somebody else's")
        try:
            artifacts.move_artifacts(request(), "any", "any", None)
        except ConflictError as error:
            assert error.code == "5002", error
        else:
            sys.exit("nothing was refused")
        assert multiprocessing.active_children() == []
        assert (folder / "new-a" / "first.bin").read_bytes() == b"somebody else's"

        with artifacts.artifacts_beside(request(RegistryPath.API), "any", "any", None):
            assert multiprocessing.active_children() == []
        """,
    )
    assert done.returncode == 0, done.stderr
