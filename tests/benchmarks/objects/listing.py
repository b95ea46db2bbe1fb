"""The lane that lists many keys, from the stub store: keys, sizes and what tells versions apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, alternate
from tests.benchmarks.objects import US, ours, peers
from tests.benchmarks.objects.loads import Load
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.stub.running import Stub, stub

LOAD = Load("list", 1_000_000, 16 * 1024)
LSF = "rclone lsf"

GOALS = (
    Goal("cpu_seconds", 0.25, (LSF,)),
    Goal("wall_seconds", 0.25, (LSF,)),
    Goal("peak_mib", 120),
)


def list_keys(bench: Bench, runs: int, scale: float) -> Result:
    """List a bucket; ours into Parquet, rclone's into a file of lines."""
    load = LOAD.scaled(scale)
    with stub(load.objects, load.size_bytes) as server:
        found = alternate([_ours(server, bench, load), _lsf(server, load)], runs, bench.say)
    return Result(f"{load.objects:,} keys, stub store", US, found, GOALS)


def _ours(server: Stub, bench: Bench, load: Load) -> Contender:
    output = bench.folder / "listing.parquet"

    def check(_number: int, _output: Path) -> Mapping[str, float]:
        rows = rows_of(output)
        if rows != load.objects:
            raise NoFigureError(f"the listing has {rows:,} rows, not {load.objects:,}")
        return {"file_mib": round(output.stat().st_size / 2**20, 1)}

    return Contender(
        US,
        lambda _number: [ours.listing(server.env(), "bench", output)],
        check,
        clean=lambda _number: output.unlink(missing_ok=True),
    )


def rows_of(file: Path) -> int:
    """Return the rows of a Parquet file."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(file).num_rows)


def _lsf(server: Stub, load: Load) -> Contender:
    """Path and size: the least that rclone can list. Hashes and times would cost it more."""
    flags = ("-R", "--files-only", "--fast-list", "--format", "ps")

    def check(_number: int, output: Path) -> Mapping[str, float]:
        with output.open("rb") as lines:
            count = sum(1 for _ in lines)
        if count != load.objects:
            raise NoFigureError(f"{count:,} lines, not {load.objects:,}")
        return {"file_mib": round(output.stat().st_size / 2**20, 1)}

    return Contender(
        LSF,
        lambda _number: [peers.rclone(server.env(), "aws_target", "lsf", *flags, "S:bench", stub=True)],
        check,
    )
