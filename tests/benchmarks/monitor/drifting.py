"""The lane that compares two tables of a million rows, beside Evidently, and looks at what is found."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, Step, alternate
from tests.benchmarks.monitor import PEER, US, WANTED
from tests.benchmarks.objects.servers import REPOSITORY, Bench

ROWS = 1_000_000
GOALS = (Goal("wall_seconds", 0.2, (PEER,)), Goal("peak_mib", 600))
MOVED = frozenset({"amount", "age", "country", "ok"})
"""Columns that the current table has a shift in; the other six have none."""


def drift(bench: Bench, runs: int, scale: float) -> Result:
    """Measure both on the same two files; what finds another thing than what is seeded has no figure."""
    rows = max(5000, int(ROWS * scale))
    files = [bench.folder / f"drift-{name}.parquet" for name in ("reference", "current")]
    for number, file in enumerate(files):
        write_table(file, number, rows, 0.6 * number)
    found = alternate([_ours(bench, files), _peer(bench, files)], runs, bench.say)
    return Result(f"2 tables of {rows:,} rows, 10 columns", US, found, GOALS)


def write_table(file: Path, seed: int, rows: int, moved: float) -> None:
    """Write one table as Parquet, with the seeded shift in the columns of :data:`MOVED`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    g = np.random.default_rng(seed)
    third = moved / 3
    shops = np.array([f"s{number}" for number in range(5001)])
    table = {
        "amount": g.lognormal(moved, 1, rows), "age": g.poisson(40 + 6 * moved, rows),
        "country": g.choice(np.array(["de", "fr", "it", "us"]), rows, p=[0.4 - third, 0.3, 0.2, 0.1 + third]),
        "ok": g.random(rows) < 0.7 - moved / 2, "score": g.beta(2, 5, rows), "day": g.integers(0, 7, rows),
        "shop": shops[g.zipf(1.4, rows).clip(0, 5000)], "balance": g.normal(0, 1000, rows),
        "wait": g.exponential(3, rows), "kind": g.choice(np.array(["a", "b"]), rows, p=[0.99, 0.01]),
    }  # fmt: skip
    pq.write_table(pa.table(table), file)


def _demand_seeded(drifted: set[str]) -> Mapping[str, float]:
    if drifted != MOVED:
        raise NoFigureError(f"it found {sorted(drifted)}, where {sorted(MOVED)} have moved")
    return {}


def _ours(bench: Bench, files: list[Path]) -> Contender:
    evidence = (bench.folder / "drift-evidence").as_uri()
    command = [
        sys.executable, "-m", "heavylift", "monitor", "drift", *(file.as_uri() for file in files),
        "--evidence", evidence, "--json",
    ]  # fmt: skip
    environment = {"PYTHONPATH": str(REPOSITORY / "include")}

    def check(_number: int, printed: Path) -> Mapping[str, float]:
        columns = json.loads(printed.read_text())["drift"]["columns"]
        return _demand_seeded({each["column"] for each in columns if each["verdict"] == "drift"})

    return Contender(US, lambda _: [Step(command, environment, frozenset({1}))], check)


def _peer(bench: Bench, files: list[Path]) -> Contender:
    python = installed(bench)
    script = Path(__file__).with_name("evidently_report.py")

    def check(_number: int, printed: Path) -> Mapping[str, float]:
        return _demand_seeded(set(json.loads(printed.read_text().splitlines()[-1])["drifted"]))

    return Contender(PEER, lambda _: [Step([str(python), str(script), *map(str, files)])], check)


def installed(bench: Bench) -> Path:
    """Return the Python of an environment of the peer's own: it needs an older pandas than ours."""
    folder = bench.folder / "peer-evidently"
    if not folder.exists():
        bench.say(f"  installing {' '.join(WANTED)}")
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *WANTED]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    return folder / "bin" / "python"
