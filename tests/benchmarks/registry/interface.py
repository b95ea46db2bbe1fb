"""Our own way through the public interface of both servers, on the very store that the peer gets."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.measure import Contender, NoFigureError, Step
from tests.benchmarks.objects.servers import REPOSITORY, Bench
from tests.benchmarks.registry.peer import Servers

INTERFACE = "heavylift, interface"


def contender(bench: Bench, servers: Servers) -> Contender:
    """Return the copy through the interface, artifacts too; neither database is named to it."""
    wanted = servers.counts(0)
    env = {**servers.env, "PYTHONPATH": str(REPOSITORY / "include")}

    def steps(number: int) -> list[Step]:
        argv = [sys.executable, "-m", "heavylift", "registry", "copy", "--path", "api", "--accept-losses"]
        argv += ["--source-conn", "mlflow_source", "--target-conn", "mlflow_target"]
        argv += servers.objects
        argv += ["--evidence", (bench.folder / f"interface-{number}").as_uri(), "--json"]
        return [Step(argv, env)]

    def check(_number: int, _printed: Path) -> Mapping[str, float]:
        got = servers.counts(1)
        if any(got[name] < count for name, count in wanted.items()):
            raise NoFigureError(f"it brought {dict(got)} of {dict(wanted)}")
        return {}

    return Contender(INTERFACE, steps, check, lambda _: servers.make_room())
