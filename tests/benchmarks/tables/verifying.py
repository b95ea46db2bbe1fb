"""The lanes that compare a million rows on two servers, beside the tools that people use for it.

Ours compares all ten columns. The peers leave out the array and the JSON, which they say they cannot
compare across servers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from heavylift.connections import Connection
from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, Step, alternate
from tests.benchmarks.objects.servers import REPOSITORY, Bench
from tests.benchmarks.tables import US
from tests.benchmarks.tables.sides import SOURCE, TARGET, Sides, sides

ROWS = 1_000_000
PEERS = {"reladiff": "reladiff[postgresql]==0.6.0", "namidiff": "namidiff[postgresql]==0.7.1"}
# 1.4 times reladiff's rate and 1.2 times namidiff's, each whole command against each.
GOALS = (
    Goal("wall_seconds", 1 / 1.4, ("reladiff",)),
    Goal("wall_seconds", 1 / 1.2, ("namidiff",)),
    Goal("peak_mib", 150),
)
_COMPARED = ("token", "price", "amount", "note", "ratio", "at", "live")
_PLANTED = """
DELETE FROM big WHERE id IN (1, {half}, {rows});
INSERT INTO big SELECT id + {rows} + 10, token, price, amount, note, tags, body, ratio, at, live
    FROM big WHERE id IN (2, 3, 4);
UPDATE big SET amount = amount + 1 WHERE id = 11;
UPDATE big SET note = note || ' ' WHERE id = {half} + 11;
UPDATE big SET live = NOT live WHERE id = {half} + 12;
UPDATE big SET price = price + 0.0001 WHERE id = {rows} - 11
"""
_KINDS = {"missing": 3, "extra": 3, "different": 4}


def identical(bench: Bench, runs: int, scale: float) -> Result:
    """Measure the comparison of equal tables."""
    return _verify(bench, runs, scale, {})


def differing(bench: Bench, runs: int, scale: float) -> Result:
    """Measure the comparison of tables with ten differences, and whether all are found."""
    return _verify(bench, runs, scale, _KINDS)


def _verify(bench: Bench, runs: int, scale: float, planted: Mapping[str, int]) -> Result:
    rows = max(1000, int(ROWS * scale))
    pair = _filled(bench, rows, planted)
    contenders = [
        _ours(bench, pair, planted),
        *(_peer(bench, pair, name, wanted, planted) for name, wanted in PEERS.items()),
    ]
    found = alternate(contenders, runs, bench.say)
    what = f"{sum(planted.values())} differences" if planted else "no difference"
    return Result(f"{rows:,} rows of ten columns with {what}", US, found, GOALS)


def _filled(bench: Bench, rows: int, planted: Mapping[str, int]) -> Sides:
    pair = sides(bench.stack(SOURCE, TARGET).env, f"bench_verify_{'differing' if planted else 'identical'}")
    bench.say(f"  filling both sides: {rows:,} rows")
    pair.fill(rows)
    # The other side's turn: it is filled the same way, without a mover.
    Sides(pair.target, pair.source).fill(rows)
    if planted:
        pair.on_target(_PLANTED.format(rows=rows, half=rows // 2))
        pair.on_target("VACUUM ANALYZE big")
    return pair


def _ours(bench: Bench, pair: Sides, planted: Mapping[str, int]) -> Contender:
    output = bench.folder / "differences.parquet"
    path = os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY)])
    command = [sys.executable, "-m", "tests.benchmarks.tables.verify_ours", str(output)]

    def check(_number: int, printed: Path) -> Mapping[str, float]:
        got = {kind: count for kind, count in json.loads(printed.read_text()).items() if count}
        if got != planted:
            raise NoFigureError(f"it found {got}, where {dict(planted)} is true")
        return {}

    def clean(_number: int) -> None:
        output.unlink(missing_ok=True)

    return Contender(US, lambda _: [Step(command, {**pair.env, "PYTHONPATH": path})], check, clean=clean)


def _peer(bench: Bench, pair: Sides, name: str, wanted: str, planted: Mapping[str, int]) -> Contender:
    program = _installed(bench, name, wanted)
    columns = [part for column in _COMPARED for part in ("-c", column)]
    tables = (_url(pair.source), "public.big", _url(pair.target), "public.big")
    lines = planted and planted["missing"] + planted["extra"] + 2 * planted["different"]

    def check(_number: int, printed: Path) -> Mapping[str, float]:
        got = sum(1 for line in printed.read_text().splitlines() if line[:2] in {"- ", "+ "})
        if got != (lines or 0):
            raise NoFigureError(f"it printed {got} differing lines, where {lines or 0} are true")
        return {}

    return Contender(name, lambda _: [Step([str(program), *tables, "-k", "id", *columns])], check)


def _url(side: Connection) -> str:
    return f"postgresql://{side.login}:{side.password}@{side.host}:{side.port}/{side.schema}"


def _installed(bench: Bench, name: str, wanted: str) -> Path:
    """Return a peer's program in an environment of its own: its wishes must not bend ours."""
    folder = bench.folder / f"peer-{name}"
    if not folder.exists():
        bench.say(f"  installing {wanted}")
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", wanted]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    return folder / "bin" / name
