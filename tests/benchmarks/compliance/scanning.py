"""The lanes of the scan: one core on text without a candidate, and the mixed file beside Presidio alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from heavylift.compliance.opinions import REQUIREMENT
from heavylift.environments import Solver
from tests.benchmarks.compliance import PEER, US
from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, Step, alternate
from tests.benchmarks.objects.servers import REPOSITORY, Bench
from tests.support.personal_data import corpus, plain_text

MB = 1_000_000
PLAIN_MB = 16
# 20 MB/s and core; Presidio alone takes 50 times as long.
PLAIN_GOALS = (Goal("seconds_per_100_mb", 5.0),)
MIXED_GOALS = (Goal("looking_seconds", 0.02, (PEER,)),)
ENVIRONMENT = {"PYTHONPATH": f"{REPOSITORY / 'include'}:{REPOSITORY}"}


def plain(bench: Bench, runs: int, scale: float) -> Result:
    """Scan text, CSV and JSON lines in which nothing looks like personal data; the slowest is judged."""
    text = plain_text(int(PLAIN_MB * MB * scale))[: int(PLAIN_MB * MB * scale)]
    rows = [line.decode("utf-8", "ignore") for line in text.splitlines()]
    documents = "\n".join(json.dumps({"id": i, "note": row, "score": 0.5}) for i, row in enumerate(rows))
    table = "\n".join(f"{i},{row},0.5" for i, row in enumerate(rows))
    contenders = []
    for name, data in (("text", text), ("csv", table.encode()), ("json", documents.encode())):
        file = bench.folder / f"plain.{name}"
        file.write_bytes(data)
        contenders.append(Contender(name, _command(file, name), _none_found))
    found = alternate(contenders, runs, bench.say)
    return Result(f"{PLAIN_MB * scale:g} MB each, no candidates, one core", "json", found, PLAIN_GOALS)


def mixed(bench: Bench, runs: int, scale: float) -> Result:
    """Scan text with a candidate in each line, Presidio's opinion included, beside Presidio alone."""
    lines = [line.text for line in corpus()]
    file = bench.folder / "mixed.txt"
    file.write_text("\n".join(lines[:: max(1, round(1 / scale))]), encoding="utf-8")
    python = Solver().tool(REQUIREMENT, f"{sys.version_info.major}.{sys.version_info.minor}")
    script = Path(__file__).with_name("presidio_alone.py")
    ours = Contender(US, _command(file, "text", str(python)), _looked)
    peer = Contender(PEER, lambda _: [Step([str(python), "-W", "ignore", str(script), str(file)])], _looked)
    found = alternate([ours, peer], runs, bench.say)
    return Result(f"{file.stat().st_size / MB:.2f} MB of mixed text", US, found, MIXED_GOALS)


def _command(file: Path, name: str, *python: str) -> object:
    command = [sys.executable, "-m", "tests.benchmarks.compliance.work", str(file), name, *python]
    return lambda _: [Step(command, ENVIRONMENT)]


def _read(printed: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads(printed.read_text().splitlines()[-1])
    return found


def _none_found(_number: int, printed: Path) -> Mapping[str, float]:
    found = _read(printed)
    if found["hits"]:
        raise NoFigureError(f"{found['hits']} hits where there is nothing to find")
    return {"seconds_per_100_mb": found["seconds"] / found["bytes"] * 100 * MB}


def _looked(_number: int, printed: Path) -> Mapping[str, float]:
    found = _read(printed)
    if found["hits"] < 100:
        raise NoFigureError(f"{found['hits']} hits in a file full of them")
    return {"looking_seconds": found["seconds"]}
