"""Error budgets, latencies, training curves and logs: a seeded fault is an alarm, and none is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.errors import AuditError, SpecError
from heavylift.evidence.monitor_records import ConvergenceRecord, GapsRecord, SloRecord
from heavylift.locations import parse_location
from heavylift.monitor.convergence import ConvergenceRequest, judge_convergence, student_quantile
from heavylift.monitor.gaps import GapsRequest, find_gaps
from heavylift.monitor.requests import Kept
from heavylift.monitor.slo import SloRequest, judge_slo
from heavylift.platforms.places import Place

BEGUN = 1_790_000_000.0
DAY = 86400


def place(tmp_path: Path, name: str, columns: dict[str, Any]) -> Place:
    path = tmp_path / f"{name}.parquet"
    pq.write_table(pa.table(columns), path)
    return Place(parse_location(path.as_uri()))


def kept(tmp_path: Path) -> Kept:
    return Kept("m", "w", "target", evidence_url=(tmp_path / "evidence").as_uri())


async def slo(tmp_path: Path, columns: dict[str, Any], **more: Any) -> SloRecord:
    request = SloRequest(kept(tmp_path), place(tmp_path, "requests", columns), **more)
    record, _ = await judge_slo(request)
    return record


def requests(bad: float, hours: float, *, slower: float = 1.0) -> dict[str, Any]:
    """Three days of requests, of which in the last hours so many are bad."""
    g = np.random.default_rng(1)
    at = BEGUN + np.sort(g.uniform(0, 3 * DAY, 60_000))
    share = np.where(at > BEGUN + 3 * DAY - hours * 3600, bad, 0.0002)
    status = np.where(g.random(at.size) < share, 503, 200)
    return {"at": at, "status": status, "ms": slower * g.lognormal(3, 0.5, at.size)}


async def test_an_error_budget_that_burns_is_an_alarm_in_its_windows(tmp_path: Path) -> None:
    calm = await slo(tmp_path, requests(0.0002, 1))
    assert (calm.verdict, calm.requests) == ("ok", 60_000)
    assert calm.budget_left is not None
    assert 0.5 < calm.budget_left < 1
    fast = await slo(tmp_path, requests(0.2, 1))
    assert [each.alarm for each in fast.windows] == [True, True, True]
    slow = await slo(tmp_path, requests(0.004, 70))
    assert [each.alarm for each in slow.windows] == [False, False, True]
    # Over an hour ago: the long window still burns, the short one no more.
    over = await slo(tmp_path, requests(0.2, 1), until=BEGUN + 3 * DAY + 3000)
    assert over.windows[0].short_burn is None
    assert not over.windows[0].alarm


async def test_latency_is_compared_with_an_earlier_record(tmp_path: Path) -> None:
    first = await slo(tmp_path, requests(0.0002, 1), latency="ms")
    path = "m/monitoring/w/slo-1.json"
    same = await slo(tmp_path, requests(0.0002, 1), latency="ms", baseline=path)
    assert same.verdict == "ok"
    expected = np.quantile(requests(0, 1)["ms"], 0.95) / 1e3
    assert first.figures["latency_p95"] == pytest.approx(expected, rel=0.01)
    slower = await slo(tmp_path, requests(0.0002, 1, slower=1.5), latency="ms", baseline=path)
    assert slower.verdict == "alarm"
    assert "P95 is 1.50 times the baseline's" in slower.reasons[0]
    few = {name: values[:30] for name, values in requests(0.0002, 1).items()}
    assert (await slo(tmp_path, few, latency="ms", baseline=path)).verdict == "unsure"
    limited = await slo(tmp_path, requests(0, 1), latency="ms", latency_limit=20.0)
    assert limited.bad == pytest.approx(30_000, rel=0.05)


async def test_requests_in_words_and_those_that_cannot_be_read(tmp_path: Path) -> None:
    columns = {
        "at": ["2026-09-01T00:00:00Z", "2026-09-01 00:00:01", "never", None, "2026-09-01T00:00:02Z"],
        "status": ["ok", "TRUE", "ok", "ok", None],
    }
    record = await slo(tmp_path, columns)
    assert (record.requests, record.bad, record.verdict) == (3, 1, "alarm")
    empty = {"at": pa.array([], pa.float64()), "status": pa.array([], pa.int64())}
    assert (await slo(tmp_path, empty)).verdict == "unsure"
    with pytest.raises(SpecError, match="HL-8915"):
        await slo(tmp_path, columns, objective=1.0)
    (tmp_path / "evidence" / "other.json").write_text('{"schema_version": "other"}')
    with pytest.raises(AuditError, match="HL-8916"):
        await slo(tmp_path, columns, baseline="other.json")


def curves(seeds: int, *, first: int = 0, worse: float = 0.0, after: int = 0) -> dict[str, Any]:
    rows: dict[str, list[Any]] = {"run": [], "step": [], "loss": []}
    for seed in range(first, first + seeds):
        g = np.random.default_rng(seed)
        begun = g.normal(0, 0.02)
        for step in range(200):
            rows["run"].append(f"r{seed}")
            rows["step"].append(step)
            more = worse if step >= after else 0.0
            rows["loss"].append(2 * np.exp(-step / 40) + 0.3 + begun + g.normal(0, 0.02) + more)
    return rows


async def trained(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], **more: Any
) -> ConvergenceRecord:
    places = place(tmp_path, "before", before), place(tmp_path, "now", now)
    record, _ = await judge_convergence(ConvergenceRequest(kept(tmp_path), *places, **more))
    return record


async def test_a_run_that_leaves_the_band_of_the_seeds_is_told_with_its_step(tmp_path: Path) -> None:
    for seed in range(100, 110):
        assert (await trained(tmp_path, curves(5), curves(1, first=seed))).verdict == "ok", seed
    worse = await trained(tmp_path, curves(5), curves(1, first=100, worse=0.5, after=120))
    assert (worse.verdict, worse.diverged_at) == ("alarm", 120.0)
    better = await trained(tmp_path, curves(5), curves(1, first=100, worse=-0.5))
    assert better.verdict == "ok"
    turned = await trained(tmp_path, curves(5), curves(1, first=100, worse=-0.5), lower_is_better=False)
    assert turned.verdict == "alarm"
    lost = curves(1, first=100)
    lost["loss"][50] = float("nan")
    assert (await trained(tmp_path, curves(5), lost)).diverged_at == 50.0


async def test_too_few_seeds_and_no_common_step_are_unsure(tmp_path: Path) -> None:
    assert (await trained(tmp_path, curves(2), curves(1))).verdict == "unsure"
    later = curves(1)
    later["step"] = [step + 1000 for step in later["step"]]
    assert (await trained(tmp_path, curves(3), later)).verdict == "unsure"
    same = {"run": ["a", "b", "c"] * 2, "step": [1, 1, 1, 2, 2, 2], "loss": [1.0] * 6}
    assert (
        await trained(tmp_path, same, {"run": ["t"] * 2, "step": [1, 2], "loss": [1.0, 1.0]})
    ).verdict == "ok"


@pytest.mark.parametrize("degrees", [1, 2, 4, 30])
def test_quantiles_of_students_distribution_are_those_of_scipy(degrees: int) -> None:
    from scipy import stats

    for share in (0.9, 0.975, 0.995):
        assert student_quantile(share, degrees) == pytest.approx(stats.t.ppf(share, degrees), rel=0.01)


async def gaps(tmp_path: Path, *tables: dict[str, Any], **more: Any) -> GapsRecord:
    places = tuple(place(tmp_path, f"log{number}", each) for number, each in enumerate(tables))
    record, _ = await find_gaps(GapsRequest(kept(tmp_path), places, **more))
    return record


async def test_a_gap_at_the_switch_is_found_and_an_overlap_is_none(tmp_path: Path) -> None:
    before = {"sequence": np.arange(1, 1001)}
    whole = await gaps(tmp_path, before, {"sequence": np.arange(990, 2001)})
    assert (whole.verdict, whole.repeated, whole.entries) == ("ok", 11, 2011)
    lost = await gaps(tmp_path, before, {"sequence": np.arange(1006, 2001)})
    assert (lost.verdict, lost.missing) == ("alarm", 5)
    assert (lost.gaps[0].after, lost.gaps[0].before) == (1000, 1006)


async def test_each_stream_counts_for_itself_and_odd_numbers_are_told(tmp_path: Path) -> None:
    streams = {"p": ["a", "b", "a", "b", None], "sequence": [1, 10, 3, 11, 7]}
    found = await gaps(tmp_path, streams, stream="p")
    assert (found.streams, found.missing, found.gaps[0].stream) == (3, 1, "a")
    odd = await gaps(tmp_path, {"sequence": ["1", "2", "x", None, str(2**70), str(2**70 + 1)]})
    assert (odd.unreadable, odd.missing) == (2, 2**70 - 3)
    assert (await gaps(tmp_path, {"sequence": pa.array([], pa.int64())})).verdict == "unsure"
    assert (await gaps(tmp_path, {"sequence": ["1", None]})).verdict == "unsure"
