"""Cost of both sides, day by day: within what was planned, and above it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.errors import SpecError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.monitor_records import CostRecord
from heavylift.locations import parse_location
from heavylift.monitor import cost
from heavylift.monitor.requests import Kept
from heavylift.platforms.places import Place
from heavylift.spec.load import load_spec
from heavylift.spec.watching import Look, looks_of
from tests.dags.specs import write
from tests.unit.objects.test_objects_cli import heavylift

FIRST, TODAY = date(2026, 11, 1), date(2026, 11, 21)
SWITCH = 10


def charge(day: int, amount: str, **changed: Any) -> dict[str, Any]:
    begin = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=day)
    return {
        "BilledCost": amount, "EffectiveCost": amount, "BillingCurrency": "USD",
        "ChargePeriodStart": begin, "ChargePeriodEnd": begin + timedelta(days=1),
        "ResourceId": "arn:endpoint/prod", "ServiceName": "Serving", **changed,
    }  # fmt: skip


def place(root: Path, name: str, rows: list[dict[str, Any]]) -> Place:
    path = root / f"{name}.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return Place(parse_location(path.as_uri()))


def bills(root: Path, *, target_day: str = "30.10") -> tuple[cost.Bill, ...]:
    """Source for twelve days at 50.25, target from the tenth day on; the workload's rows and others'."""
    other = {"ResourceId": "arn:other", "ServiceName": "Other"}
    source = [charge(day, "50.25") for day in range(12)] + [charge(day, "900", **other) for day in range(12)]
    target = [charge(day, target_day) for day in range(SWITCH, 19)]
    return (
        cost.Bill("source", place(root, "source", source), ("arn:endpoint/*",)),
        cost.Bill("target", place(root, "target", target), (), ("Serving",)),
    )


async def judged(root: Path, both: tuple[cost.Bill, ...], **more: Any) -> CostRecord:
    kept = Kept("some", "bills", evidence_url=(root / "evidence").as_uri())
    return (await cost.judge_cost(cost.CostRequest(kept, both, today=TODAY, **more)))[0]


async def test_both_sides_are_one_series_across_the_switch(tmp_path: Path) -> None:
    counted = [{"day": (FIRST + timedelta(days=day)).isoformat(), "predictions": 20_000} for day in range(20)]
    counts = cost.Counts(place(tmp_path, "counts", counted))
    record = await judged(tmp_path, bills(tmp_path), expected_day=30.0, counts=counts)
    assert (record.verdict, len(record.days), record.rows) == ("ok", 19, 21)
    assert [(each.source, each.target) for each in record.days[9:13]] == [
        ("50.250000", "0.000000"), ("50.250000", "30.100000"), ("50.250000", "30.100000"),
        ("0.000000", "30.100000"),
    ]  # fmt: skip
    assert (record.double_days, record.double) == (2, "100.500000")
    assert record.days[0].per_thousand == "2.512500"
    assert record.days[10].per_thousand == "4.017500"
    assert record.figures["target_mean_day"] == pytest.approx(30.10)
    assert not any(each.settled for each in record.days if each.day >= "2026-11-19")


async def test_more_than_the_band_is_an_alarm_and_so_is_double_running(tmp_path: Path) -> None:
    dear = await judged(tmp_path, bills(tmp_path, target_day="36.10"), expected_day=30.0)
    assert (dear.verdict, len(dear.reasons)) == ("alarm", 1)
    assert "costs 36.10 USD a day over 7 days; 30.00 were expected, 36.00 are allowed" in dear.reasons[0]
    # On the limit is none.
    assert (await judged(tmp_path, bills(tmp_path, target_day="36.00"), expected_day=30.0)).verdict == "ok"
    double = await judged(tmp_path, bills(tmp_path), expected_day=30.0, max_double=100.0)
    assert double.verdict == "alarm"
    assert "double running has cost 100.50 USD by now; 100.00 were planned" in double.reasons[0]


async def test_what_cannot_be_told_is_no_alarm_and_not_ok(tmp_path: Path) -> None:
    source, target = bills(tmp_path)
    assert (await judged(tmp_path, (source,), expected_day=30.0)).verdict == "unsure"
    assert (await judged(tmp_path, (source, target))).reasons == (
        "nothing to hold the target's cost against: no expected_day and no plan's estimate",
    )
    nothing = cost.Bill("target", target.place, ("nobody's",))
    assert (await judged(tmp_path, (nothing,), expected_day=30.0)).reasons == ("no charges at all",)


async def test_the_plans_estimate_is_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Record:
        plan = EvidenceRef(path="some/plan.json", sha256="0" * 64, size_bytes=1)

    class Found:
        record = Record()

    async def latest(_store: Any, migration: str) -> Found:
        assert migration == "some"
        return Found()

    lines = [{"item": "double running", "cost": {"low": 10.0, "high": 90.0}}]
    plan = {"plan": {"target": {"monthly_usd": 600.0}, "costs": {"lines": lines}}}
    folder = tmp_path / "evidence" / "some"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(plan))
    monkeypatch.setattr(cost, "latest_assessment", latest)
    record = await judged(tmp_path, bills(tmp_path))
    assert (record.verdict, record.expected_day, record.estimate) == ("alarm", 20.0, "some/plan.json")
    assert len(record.reasons) == 2
    euros = [charge(day, "30.10", BillingCurrency="EUR") for day in range(10)]
    other = await judged(tmp_path, (cost.Bill("target", place(tmp_path, "euros", euros)),))
    assert "the plan's is in USD, the bill in EUR" in other.reasons[0]


async def test_a_charge_of_many_days_is_shared_out_and_told(tmp_path: Path) -> None:
    begin = datetime(2026, 11, 1, 12, tzinfo=UTC)
    rows = [charge(0, "10", ChargePeriodStart=begin, ChargePeriodEnd=begin + timedelta(days=2))]
    record = await judged(tmp_path, (cost.Bill("target", place(tmp_path, "month", rows)),), expected_day=30.0)
    assert [each.target for each in record.days] == ["2.500000", "5.000000", "2.500000"]
    assert record.spread == "10.000000"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"BillingCurrency": "EUR"}, "9770"),
        ({"ChargePeriodEnd": datetime(2026, 10, 1, tzinfo=UTC)}, "9771"),
        ({"BilledCost": "much"}, "7689"),
    ],
)
async def test_a_bill_that_cannot_be_summed_is_refused(tmp_path: Path, changed: Any, code: str) -> None:
    rows = [charge(0, "1"), charge(1, "1", **changed)]
    with pytest.raises(SpecError, match=f"HL-{code}"):
        await judged(tmp_path, (cost.Bill("target", place(tmp_path, "odd", rows)),))


def test_a_spec_watches_it_once_for_both_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = [{"url": str(each.place.location)} for each in bills(tmp_path)]
    watch = {"name": "bills", "source": {**both[0], "services": ["Serving"]}, "target": both[1]}
    watch |= {"expected_day": 20.0, "settle": 0}
    path = write(tmp_path, "some", monitor={"cost": [watch]})
    assert looks_of(load_spec(path)) == [Look("bills")]
    store = (tmp_path / "evidence").as_uri()
    status, told, _ = heavylift(capsys, "monitor", "run", str(path), "--evidence", store, "--json")
    assert (status, told["looks"][0]["kind"], told["looks"][0]["verdict"]) == (1, "cost", "alarm")
    assert told["looks"][0]["figures"]["double_running"] == 100.5
    status, told, _ = heavylift(
        capsys,
        "monitor",
        "cost",
        "--target",
        both[1]["url"],
        "--expected-day",
        "40",
        "--evidence",
        store,
        "--json",
    )
    assert (status, told["cost"]["verdict"]) == (0, "ok")
    assert heavylift(capsys, "monitor", "cost", "--evidence", store, "--json")[0] == 2
