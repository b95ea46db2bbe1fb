"""The lane that compares two listings of many rows. It has no peer: nobody else offers this."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, alternate
from tests.benchmarks.objects import US, manifests, ours
from tests.benchmarks.objects.apart import apart
from tests.benchmarks.objects.servers import Bench

ROWS = 20_000_000
GOALS = (Goal("wall_seconds", 8), Goal("peak_mib", 700))


def compare(bench: Bench, runs: int, scale: float) -> Result:
    """Write two listings, then measure their comparison."""
    rows = max(10_000, int(ROWS * scale))
    old, new, output = (bench.folder / f"{name}.parquet" for name in ("old", "new", "differences"))
    bench.say(f"  writing two listings of {rows:,} rows")
    # Apart, for it takes gigabytes, which would not be given back.
    apart(manifests.write, rows, old, new)
    wanted = asdict(manifests.known(rows))

    def check(_number: int, printed: Path) -> Mapping[str, float]:
        got = counts(json.loads(printed.read_bytes()))
        if got != wanted:
            raise NoFigureError(f"it counted {got}, where {wanted} is true")
        return {}

    contender = Contender(
        US,
        lambda _number: [ours.compare(old, new, output)],
        check,
        clean=lambda _number: output.unlink(missing_ok=True),
    )
    found = alternate([contender], runs, bench.say)
    sizes = " and ".join(f"{file.stat().st_size / 2**20:,.0f} MiB" for file in (old, new))
    return Result(f"two listings of {rows:,} rows ({sizes})", US, found, GOALS)


def counts(document: Any) -> dict[str, int] | None:
    """Return the part of a printed document that counts equal, missing, extra and changed rows."""
    names = ("equal", "missing", "extra", "changed")
    if not isinstance(document, dict):
        return None
    if all(name in document for name in names):
        return {name: _objects(document[name]) for name in names}
    return next((found for value in document.values() if (found := counts(value)) is not None), None)


def _objects(value: Any) -> int:
    return int(value["objects"] if isinstance(value, dict) else value)
