"""Lanes that copy: small objects between clouds, large ones, mixed ones.

Heavylift's figure is the whole command ``objects copy``: listing both sides, planning, copying
with every proof, writing evidence, and an independent verification afterwards.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, Step, alternate
from tests.benchmarks.objects import US, clients, ours, peers
from tests.benchmarks.objects.checking import problem
from tests.benchmarks.objects.loads import HUGE, LARGE, MIXED, SMALL, Load
from tests.benchmarks.objects.peers import FLAGS, MULTI, RCLONE, S5CMD, TUNED
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.stub.running import Stub, did, stub

_SHM = Path("/dev/shm")


@dataclass(frozen=True)
class CopyLane:
    """A copy to measure.

    :param peers: names of peers' command lines.
    """

    load: Load
    target_conn: str
    peers: tuple[str, ...]
    goals: tuple[Goal, ...]


_SMALL_GOALS = (
    Goal("cpu_seconds", 0.55, (RCLONE,)),
    Goal("wall_seconds", 0.7, (RCLONE,)),
    Goal("cpu_seconds", 0.8, (TUNED,)),
    Goal("wall_seconds", 1.0, (TUNED,)),
    Goal("peak_mib", 150),
)
_LARGE_GOALS = (
    Goal("cpu_seconds", 0.75, (MULTI, S5CMD)),
    Goal("wall_seconds", 1.0, (MULTI, S5CMD)),
    Goal("peak_mib", 300),
)
_STUB_GOALS = (
    Goal("cpu_seconds", 0.5, (RCLONE, S5CMD)),
    Goal("wall_seconds", 0.6, (RCLONE, S5CMD)),
    Goal("peak_mib", 150),
)
_MIXED_GOALS = (
    Goal("cpu_seconds", 0.6, (RCLONE,)),
    Goal("wall_seconds", 0.8, (RCLONE,)),
    Goal("peak_mib", 300),
)
SMALL_S3 = CopyLane(SMALL, "aws_target", (RCLONE, TUNED), _SMALL_GOALS)
SMALL_GCS = CopyLane(SMALL, "gcp_target", (RCLONE, TUNED), _SMALL_GOALS)
SMALL_AZURE = CopyLane(SMALL, "azure_target", (RCLONE, TUNED), _SMALL_GOALS)
SMALL_STUB = CopyLane(SMALL, "aws_target", (RCLONE, TUNED, S5CMD), _STUB_GOALS)
LARGE_S3 = CopyLane(LARGE, "aws_target", (MULTI, S5CMD), _LARGE_GOALS)
HUGE_S3 = CopyLane(HUGE, "aws_target", (MULTI, S5CMD), _LARGE_GOALS)
MIXED_S3 = CopyLane(MIXED, "aws_target", (RCLONE,), _MIXED_GOALS)


@dataclass(frozen=True)
class Ground:
    """Where a copy takes place."""

    env: Mapping[str, str]
    bucket: str
    target_conn: str
    folder: Path
    create: Callable[[str], None]
    remove: Callable[[str], None]
    check: Callable[[str], Mapping[str, float]]
    is_stub: bool = False


def real(bench: Bench, lane: CopyLane, runs: int, scale: float) -> Result:
    """Measure a copy between real servers."""
    load = lane.load.scaled(scale)
    env = bench.stack("aws_source", lane.target_conn).env
    bucket, expected = bench.source(load)

    servers, before = ("aws_source", lane.target_conn), [0.0]

    def create(name: str) -> None:
        clients.create(env, lane.target_conn, name)
        before[0] = bench.server_cpu(*servers)

    def check(target: str) -> Mapping[str, float]:
        taken = bench.server_cpu(*servers) - before[0]
        wrong = problem(env, lane.target_conn, target, expected, read=load.large)
        if wrong:
            raise NoFigureError(wrong)
        return {"server_cpu": round(taken, 2)}

    ground = Ground(
        env,
        bucket,
        lane.target_conn,
        bench.folder,
        create=create,
        remove=lambda name: clients.remove(env, lane.target_conn, name),
        check=check,
    )
    found = alternate(contenders(lane, ground), runs, bench.say)
    return Result(load.text(), US, found, lane.goals)


def against_stub(bench: Bench, lane: CopyLane, runs: int, scale: float) -> Result:
    """Measure a copy from the stub store to itself: the servers cost nearly nothing."""
    load = lane.load.scaled(scale)
    with stub(load.objects, load.size_bytes) as server:
        found = alternate(contenders(lane, _stub_ground(server, bench, load)), runs, bench.say)
    return Result(f"{load.text()}, stub store", US, found, lane.goals)


def _stub_ground(server: Stub, bench: Bench, load: Load) -> Ground:
    before: list[Mapping[str, object]] = [{}]

    def create(name: str) -> None:
        server.create(name)
        before[0] = server.report()

    def check(name: str) -> Mapping[str, float]:
        after = server.report()
        if after["objects"].get(name) != load.objects:
            raise NoFigureError(f"{after['objects'].get(name)} of {load.objects} objects are in the target")
        done = did(before[0], after)
        return {kind: done.get(kind, 0) for kind in ("server_cpu", "list", "head", "get", "tags", "put")}

    return Ground(
        server.env(),
        "bench",
        "aws_target",
        bench.folder,
        create=create,
        remove=server.remove,
        check=check,
        is_stub=True,
    )


def contenders(lane: CopyLane, ground: Ground) -> list[Contender]:
    """Return Heavylift and the lane's peers; each copies into a bucket of its own at each run."""
    found = [_contender(US, "heavylift", ground, lambda target: [_ours(ground, target)])]
    for name in lane.peers:
        if name == S5CMD:
            found.append(_s5cmd(lane, ground))
        else:
            short = "rclone-" + str(lane.peers.index(name))
            found.append(_contender(name, short, ground, _rclone_steps(name, ground)))
    return found


def _contender(name: str, short: str, ground: Ground, steps: Callable[[str], Sequence[Step]]) -> Contender:
    def target(number: int) -> str:
        return f"{ground.bucket}-{short}-{number}"

    return Contender(
        name,
        steps=lambda number: steps(target(number)),
        check=lambda number, _output: ground.check(target(number)),
        prepare=lambda number: ground.create(target(number)),
        clean=lambda number: ground.remove(target(number)),
    )


def _ours(ground: Ground, target: str) -> Step:
    evidence = ground.folder / f"evidence-{target}"
    return ours.copy(ground.env, ground.bucket, target, ground.target_conn, evidence)


def _rclone_steps(name: str, ground: Ground) -> Callable[[str], Sequence[Step]]:
    return lambda target: [
        peers.rclone(
            ground.env,
            ground.target_conn,
            *("copy", f"S:{ground.bucket}", f"T:{target}", *FLAGS[name]),
            stub=ground.is_stub,
        )
    ]


def _s5cmd(lane: CopyLane, ground: Ground) -> Contender:
    # In memory where there is room, for a disk would be measured otherwise.
    roomy = _SHM.is_dir() and shutil.disk_usage(_SHM).free > 2 * lane.load.total_bytes()
    between = (_SHM if roomy else ground.folder) / f"{ground.folder.name}-s5cmd"
    made = _contender(
        S5CMD,
        "s5cmd",
        ground,
        lambda target: peers.s5cmd(ground.env, ground.bucket, target, between),
    )

    def clean(number: int) -> None:
        shutil.rmtree(between, ignore_errors=True)
        made.clean(number)

    return Contender(made.name, made.steps, made.check, made.prepare, clean)
