"""The lane of a second run in which nothing has changed, against the stub store.

The stub counts requests, so that what a tool asks of the store is known, not told by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, Step, alternate, run_once
from tests.benchmarks.objects import US, ours, peers
from tests.benchmarks.objects.loads import Load
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.stub.running import Stub, did, stub

LOAD = Load("unchanged", 100_000, 16 * 1024)
CHECKSUM = "rclone sync --checksum"
MODTIME = "rclone sync --update"

_FAST = ("--fast-list", "--checkers", "32", "--transfers", "32")
FLAGS = {
    CHECKSUM: (*_FAST, "--checksum"),
    MODTIME: (*_FAST, "--update", "--use-server-modtime"),
}
"""The two ways in which rclone finds changes by listings alone. ``--size-only`` would miss an
object that changed and kept its size; its default reads each object's own time by a HEAD."""

GOALS = (
    Goal("cpu_seconds", 0.5, (CHECKSUM, MODTIME)),
    Goal("wall_seconds", 0.5, (CHECKSUM, MODTIME)),
    Goal("peak_mib", 200),
    Goal("object_requests", 0),
    Goal("writes", 0),
)
_ABOUT_ONE = ("head", "get", "tags")
_WRITES = ("put", "part", "begin-upload", "complete-upload", "delete")
_TARGET = "t"


def unchanged(bench: Bench, runs: int, scale: float) -> Result:
    """Copy once, unmeasured, then measure the same command with nothing to do."""
    load = LOAD.scaled(scale)
    with stub(load.objects, load.size_bytes) as server:
        server.create(_TARGET)
        again = _ours(server, bench, load)
        bench.say(f"  first run, not measured: {load.text()}")
        run_once(Contender(again.name, again.steps, lambda *_: {}), 0)
        found = alternate([again, *(_rclone(server, load, name) for name in FLAGS)], runs, bench.say)
    return Result(f"{load.text()}, nothing changed, stub store", US, found, GOALS)


class _Watch:
    """Counts what the stub was asked during a run."""

    def __init__(self, server: Stub, load: Load) -> None:
        self._server, self._load = server, load
        self._before = server.report()

    def start(self, _number: int) -> None:
        self._before = self._server.report()

    def figures(self) -> Mapping[str, float]:
        after = self._server.report()
        if after["objects"][_TARGET] != self._load.objects:
            raise NoFigureError(f"{after['objects'][_TARGET]} of {self._load.objects} objects are left")
        done = did(self._before, after)
        return {
            "server_cpu": done["server_cpu"],
            "lists": done.get("list", 0),
            "object_requests": sum(done.get(kind, 0) for kind in _ABOUT_ONE),
            "writes": sum(done.get(kind, 0) for kind in _WRITES),
        }


def _ours(server: Stub, bench: Bench, load: Load) -> Contender:
    watch = _Watch(server, load)
    evidence = bench.folder / "evidence-unchanged"
    step = ours.copy(server.env(), "bench", _TARGET, "aws_target", evidence, "--migration", "bench")

    def check(_number: int, output: Path) -> Mapping[str, float]:
        same = json.loads(output.read_bytes())["summary"]["unchanged"]["objects"]
        if same != load.objects:
            raise NoFigureError(f"{same} of {load.objects} objects were found unchanged")
        return watch.figures()

    return Contender(US, lambda _number: [step], check, watch.start)


def _rclone(server: Stub, load: Load, name: str) -> Contender:
    watch = _Watch(server, load)

    def steps(_number: int) -> list[Step]:
        command = ("sync", "S:bench", f"T:{_TARGET}", *FLAGS[name])
        return [peers.rclone(server.env(), "aws_target", *command, stub=True)]

    return Contender(name, steps, lambda *_: watch.figures(), watch.start)
