"""``python -m tests.benchmarks.monitor.power PYTHON``: false alarms and detection, beside Evidently's.

PYTHON is an interpreter of a venv that has evidently. Each table has 40 columns of one distribution, which
are as many trials; printed is the share of them that each tool calls drift.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from heavylift.monitor.columns import compare_columns
from heavylift.monitor.profiles import TableProfile

TRIALS = 40
SIZES = (100, 300, 1000, 3000, 10_000)
Draw = Callable[[np.random.Generator, int], np.ndarray]


def _labels(shares: list[float]) -> Draw:
    return lambda g, n: g.choice(np.array(["a", "b", "c", "d"]), n, p=shares)


LOADS: dict[str, tuple[Draw, Draw]] = {
    "normal, the same": (lambda g, n: g.normal(size=n), lambda g, n: g.normal(size=n)),
    "lognormal, the same": (lambda g, n: g.lognormal(0, 2, n), lambda g, n: g.lognormal(0, 2, n)),
    "4 categories, the same": (_labels([0.4, 0.3, 0.2, 0.1]), _labels([0.4, 0.3, 0.2, 0.1])),
    "mean + 0.02 sd": (lambda g, n: g.normal(size=n), lambda g, n: g.normal(0.02, 1, n)),
    "mean + 0.3 sd": (lambda g, n: g.normal(size=n), lambda g, n: g.normal(0.3, 1, n)),
    "mean + 0.5 sd": (lambda g, n: g.normal(size=n), lambda g, n: g.normal(0.5, 1, n)),
    "sd * 1.5": (lambda g, n: g.normal(size=n), lambda g, n: g.normal(0, 1.5, n)),
    "lognormal * 1.5": (lambda g, n: g.lognormal(0, 1, n), lambda g, n: 1.5 * g.lognormal(0, 1, n)),
    "share 40 % to 20 %": (_labels([0.4, 0.3, 0.2, 0.1]), _labels([0.2, 0.3, 0.2, 0.3])),
}


def main(python: str) -> None:
    """Print a table: by load and rows, the share of columns called drift by us, by us unsure, by the peer."""
    print(f"{'load':<24}{'rows':>8}{'ours':>8}{'unsure':>8}{'peer':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name, draws in LOADS.items():
            for rows in SIZES:
                tables = [_table(draw, number, rows) for number, draw in enumerate(draws)]
                drifted, unsure = _ours(tables)
                theirs = _theirs(python, Path(folder), tables)
                shares = "".join(f"{count / TRIALS:>8.1%}" for count in (drifted, unsure, theirs))
                print(f"{name:<24}{rows:>8,}{shares}", flush=True)


def _table(draw: Draw, number: int, rows: int) -> pa.Table:
    generator = np.random.default_rng([rows, number])
    return pa.table({f"c{each}": draw(generator, rows) for each in range(TRIALS)})


def _ours(tables: list[pa.Table]) -> tuple[int, int]:
    profiles = []
    for table in tables:
        profile = TableProfile("made")
        for batch in table.to_batches():
            profile.take(batch.schema.names, batch.columns, batch.num_rows, csv=False)
        profile.close()
        profiles.append(profile)
    found = [each.verdict for each in compare_columns(*profiles)]
    return found.count("drift"), found.count("unsure")


def _theirs(python: str, folder: Path, tables: list[pa.Table]) -> int:
    files = [folder / "a.parquet", folder / "b.parquet"]
    for file, table in zip(files, tables, strict=True):
        pq.write_table(table, file)
    script = Path(__file__).with_name("evidently_report.py")
    done = subprocess.run([python, str(script), *map(str, files)], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    if found["columns"] != TRIALS:
        raise SystemExit(f"the peer judged {found['columns']} columns of {TRIALS}")
    return len(found["drifted"])


if __name__ == "__main__":
    main(sys.argv[1])
