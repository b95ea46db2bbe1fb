"""``heavylift cutover status|ready|rehearse|run|rollback`` on real servers, with a spec of the test's own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from heavylift.fencing import Side
from heavylift.tables import api
from heavylift.tables.postgres.connect import connect
from sandbox.stack import Stack
from sandbox.waiting import until
from tests.support.shell import Command, start
from tests.support.switched import Switched, environment, switched

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 3
SOURCE, TARGET = Side.SOURCE, Side.TARGET


@dataclass(frozen=True)
class Shell:
    """Commands on one workload's spec."""

    workload: Switched

    def start(self, name: str, *options: str) -> Command:
        arguments = ["cutover", name, str(self.workload.spec_file), *options, "--json"]
        return start(arguments, {**environment(self.workload), "HOME": os.environ.get("HOME", "/")})

    def run(self, name: str, *options: str) -> tuple[int, dict[str, Any]]:
        status, output, _ = self.start(name, *options).end()
        found = dict(json.loads(output))
        assert found["exit_status"] == status
        return status, found

    def sides(self) -> tuple[str, str]:
        """Return how source and target stand, as the command tells."""
        status, found = self.run("status")
        assert status == DONE
        stand = found["world"]["databases"][0]
        return stand["source"], stand["target"]


@pytest.fixture
def shell(proxied: Stack, tmp_path: Path) -> Iterator[Shell]:
    with switched(proxied, tmp_path, freeze_within=50) as workload:
        yield Shell(workload)


@pytest.mark.long
def test_a_switch_from_a_shell(shell: Shell) -> None:
    status, found = shell.run("status")
    assert (status, found["turn"]) == (DONE, None)
    status, found = shell.run("rehearse")
    assert (status, found["rehearsal"]["passed"]) == (DONE, True)
    status, found = shell.run("ready")
    items = [each for each in found["readiness"]["items"] if not each["passed"]]
    # No run of the phase transfer has left its proof: the tables were copied without it.
    assert (status, {each["item"] for each in items}) == (FAILED, {"phase"})
    status, found = shell.run("run")
    assert (status, found["error"]["code"]) == (FAILED, "HL-8720")
    assert shell.sides() == ("open", "frozen")
    status, found = shell.run("run", "--accept", "phase=")
    assert (status, found["error"]["code"]) == (FAILED, "HL-8720")
    status, found = shell.run("run", "--accept", "phase=copied by the test")
    assert (status, found["switch"]["outcome"]) == (DONE, "switched")
    assert shell.sides() == ("frozen", "open")
    _between(shell)
    assert shell.sides() == ("frozen", "frozen")
    status, found = shell.run("rollback")
    assert (status, found["switch"]["goal"], found["switch"]["outcome"]) == (DONE, "source", "switched")
    assert shell.workload.world().settled_at(SOURCE)
    status, found = shell.run("rollback")
    assert (status, found["switch"]["outcome"]) == (DONE, "already")


@pytest.mark.long
def test_a_drill_moves_nobody_and_drills_the_way_back_once_writes_are_on_the_target(
    proxied: Stack, tmp_path: Path
) -> None:
    with switched(proxied, tmp_path, freeze_within=50, drills={"max_rto": 600, "max_rpo": 600}) as workload:
        shell = Shell(workload)
        _, found = shell.run("ready")
        assert "drill" in {each["item"] for each in found["readiness"]["items"] if not each["passed"]}
        status, found = shell.run("drill")
        drill = found["drill"]
        assert (status, drill["outcome"], drill["reasons"]) == (DONE, "passed", [])
        assert 0 < drill["rto_seconds"] < 600
        assert [(each["kind"], each["subject"]) for each in drill["points"]] == [("database", "db")]
        assert 0 <= drill["rpo_seconds"] < 600
        assert shell.sides()[0] == "open"
        assert workload.world().settled_at(SOURCE)
        _, found = shell.run("ready")
        assert "drill" not in {each["item"] for each in found["readiness"]["items"] if not each["passed"]}
        status, found = shell.run("run", "--accept", "phase=copied by the test")
        assert (status, found["switch"]["outcome"]) == (DONE, "switched")
        status, found = shell.run("drill")
        drill = found["drill"]
        assert (status, drill["outcome"], drill["way"], drill["reasons"]) == (DONE, "passed", "back", [])
        assert drill["back"]["rto_seconds"] > 0
        assert shell.sides() == ("frozen", "open")
        migration = found["drill"]["run"]["migration"]
        asked = ["status", migration, "--evidence", f"file://{tmp_path}/evidence", "--json"]
        _, output, _ = start(asked, {**environment(workload), "HOME": os.environ.get("HOME", "/")}).end()
        told = json.loads(output)["drills"]
        assert (told["tried"], told["passed"], told["put_off"], told["overdue"]) == (2, 2, 0, False)


def _between(shell: Shell) -> None:
    """Leave both sides frozen, as an attempt does that was killed."""
    seen = shell.workload.world().epoch
    asyncio.run(api.freeze_writes(shell.workload.forward(), side=TARGET, epoch=seen, within_seconds=20))


def test_an_interrupted_switch_leaves_writes_where_they_were(shell: Shell) -> None:
    with closing(connect(shell.workload.of(SOURCE), "writer", autocommit=False)) as session:
        # A transaction under way keeps the freezing waiting, so that the interrupt comes within it.
        session.execute("INSERT INTO public.entry VALUES (1, 'not committed yet')")
        command = shell.start("run", "--accept", "phase=copied by the test")
        told = command.folder / "errors"
        assert until(lambda: "catch up" in told.read_text(), seconds=60)
        os.kill(command.pid, signal.SIGINT)
        status, _output, errors = command.end()
        assert status == INTERRUPTED, errors
        session.commit()
    assert shell.sides() == ("open", "frozen")
    assert shell.workload.ids(SOURCE) == [1]


def test_a_spec_that_switches_nothing_is_refused(shell: Shell) -> None:
    spec = json.loads(shell.workload.spec_file.read_text())
    del spec["cutover"]
    shell.workload.spec_file.write_text(json.dumps(spec))
    status, found = shell.run("run")
    assert (status, found["error"]["code"]) == (REFUSED, "HL-8709")
