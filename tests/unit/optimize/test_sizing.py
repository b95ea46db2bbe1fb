"""Rightsizing: never below what was used, nothing recommended of too little, the reason told."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.errors import NotFoundError, SpecError
from heavylift.evidence.optimize_records import SizeRecord
from heavylift.evidence.records import RunKey
from heavylift.optimize.machines import load_machines
from heavylift.optimize.requests import Kept
from heavylift.optimize.rightsizing import SizeRequest, recommend_size, size_of
from heavylift.optimize.series import Series, read_series, series_of
from heavylift.optimize.sizing import SizingRules, check_shares, need_of, shortfalls

KEPT = Kept(RunKey(migration="m", phase="optimize", run="r"), "scoring")
START = datetime(2026, 9, 1, tzinfo=UTC)
MACHINES = """provider,instance_type,vcpu,ram_gib,ondemand_usd_h,price_date
made,small,2,8,0.1,2026-11-01
made,wide,4,8,0.15,2026-11-01
made,medium,4,16,0.2,2026-11-01
made,large,8,32,0.4,2026-11-01
made,huge,16,64,0.8,2026-11-01
"""


@pytest.fixture
def machines(tmp_path: Path) -> Path:
    path = tmp_path / "machines.csv"
    path.write_text(MACHINES)
    return path


def use(days: float = 10, **columns: Any) -> Series:
    count = int(days * 24 * 12) + 1
    at = [START.timestamp() + 300 * n for n in range(count)]
    return series_of(
        "made", at, {n: np.resize(np.asarray(v, dtype=float), count) for n, v in columns.items()}
    )


def judged(
    machines: Path, series: Series, current: str = "large", provider: str = "made", **rules: Any
) -> SizeRecord:
    known = load_machines(machines)
    request = SizeRequest(KEPT, machines, provider, current, rules=SizingRules(**rules))
    return size_of(request, series, known.find(provider, current), known)


def test_a_machine_that_is_hardly_used_may_become_the_cheapest_that_holds_it(machines: Path) -> None:
    # 8 x 0.3 x 1.2 = 2.9 cores, 32 x 0.2 x 1.2 = 7.7 GiB: "wide" holds both, "small" lacks cores.
    record = judged(machines, use(cpu=[0.1, 0.3, 0.2], memory=[0.2, 0.15]))
    assert (record.verdict, record.recommended) == ("smaller", "wide")
    assert record.need == {"vcpu": 2.88, "ram_gib": 7.68, "gpus": 0, "gpu_gib_each": 0, "gpu_gib": 0}
    assert record.saving is not None
    assert record.saving.p50 == pytest.approx((0.4 - 0.15) * 730)
    assert record.risk == 0.0
    assert [(each.machine, each.reason) for each in record.rejected] == [("small", "2 cores, 2.9 needed")]
    assert record.prices == ("machines.csv, 2026-11-01",)


def test_one_peak_of_memory_counts_whole_and_one_of_cores_does_not(machines: Path) -> None:
    memory = np.full(2881, 0.2)
    memory[1000] = 0.45  # 17.3 GiB with headroom: more than "medium" has
    cpu = np.full(2881, 0.1)
    cpu[2000] = 0.99
    record = judged(machines, use(cpu=cpu, memory=memory))
    assert (record.verdict, record.recommended) == ("keep", "large")
    assert judged(machines, use(cpu=cpu, memory=0.2)).recommended == "small"
    assert judged(machines, use(cpu=cpu, memory=0.2), quantile=1.0).recommended == "huge"


def test_a_machine_that_is_too_small_should_become_larger_and_costs_more(machines: Path) -> None:
    record = judged(machines, use(cpu=0.95, memory=0.5))
    assert (record.verdict, record.recommended) == ("larger", "huge")
    assert record.saving is not None
    assert record.saving.p50 == pytest.approx(-0.4 * 730)
    assert "8 cores, 9.1 needed" in record.statement
    assert judged(machines, use(cpu=0.95, memory=0.9), "huge").verdict == "none fits"


@given(cpu=st.floats(0, 1), memory=st.floats(0, 1), headroom=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_what_is_recommended_never_lacks_what_was_used(cpu: float, memory: float, headroom: float) -> None:
    known = load_machines()
    here = known.find("aws", "g5.12xlarge")
    series = use(8, cpu=cpu, memory=memory, gpu=cpu, gpu_memory=memory)
    rules = SizingRules(headroom=headroom)
    record = size_of(SizeRequest(KEPT, Path("-"), "aws", here.name, rules=rules), series, here, known)
    if record.verdict in {"smaller", "larger", "keep"}:
        chosen = known.find("aws", record.recommended)
        assert shortfalls(need_of(series, here, rules), chosen) == []
        assert (chosen.ram_gib or 0) >= memory * (here.ram_gib or 0)
        assert (
            chosen.gpus * (chosen.gpu_gib_each or 0) >= memory * here.gpus * (here.gpu_gib_each or 0) - 1e-6
        )
        assert chosen.gpu == here.gpu


def test_fewer_accelerators_must_hold_together_what_all_of_them_held() -> None:
    known = load_machines()
    here = known.find("aws", "g5.12xlarge")  # four A10G of 24 GiB
    little = use(cpu=0.05, memory=0.05, gpu=0.1, gpu_memory=0.15)
    request = SizeRequest(KEPT, Path("-"), "aws", here.name)
    assert known.find("aws", size_of(request, little, here, known).recommended).gpus == 1
    # A quarter of each is one whole device, and with headroom more than one has.
    quarter = use(cpu=0.05, memory=0.05, gpu=0.1, gpu_memory=0.25)
    record = size_of(request, quarter, here, known)
    assert record.recommended == "g5.12xlarge"
    idle = size_of(request, use(cpu=0.05, memory=0.05, gpu=0.0, gpu_memory=0.0), here, known)
    assert "accelerator-idle" in [each.rule for each in idle.findings]


@pytest.mark.parametrize(
    ("series", "why"),
    [
        (use(3, cpu=0.1, memory=0.1), "3.0 days of values; 7 are needed"),
        (use(cpu=[0.1, math.nan], memory=0.1), "cpu: values at 50% of the moments"),
        (use(cpu=0.1, memory=np.r_[np.full(1000, 0.1), np.full(150, math.nan), np.full(1731, 0.1)]),
         "memory: 12.6 hours without a value"),
        (use(cpu=math.nan, memory=0.1), "cpu: values at 0% of the moments"),
    ],
)  # fmt: skip
def test_a_series_that_says_too_little_recommends_nothing(machines: Path, series: Series, why: str) -> None:
    record = judged(machines, series)
    assert record.verdict == "insufficient"
    assert record.saving is None
    assert record.recommended == record.current
    assert any(why in reason for reason in record.reasons)


def test_growth_is_told_with_the_days_that_it_leaves(machines: Path) -> None:
    memory = 0.1 + 0.01 * np.arange(2881) / 288  # a hundredth a day
    record = judged(machines, use(cpu=0.1, memory=memory))
    # "wide" has a quarter of the memory; 0.19 are reached by now.
    assert record.recommended == "small"
    assert record.days_left["memory"] == pytest.approx((0.25 - 0.19) / 0.01, abs=1.5)
    assert "grows-into-it" in [each.rule for each in record.findings]


def test_a_rare_load_is_a_risk_and_takes_the_saving_of_the_tenth_percentile(machines: Path) -> None:
    cpu = np.full(2881, 0.1)
    cpu[288:313] = 0.7  # one day of ten: not quite a hundredth of the moments
    record = judged(machines, use(cpu=cpu, memory=0.1))
    assert record.recommended == "small"
    assert record.risk is not None
    assert 0.1 < record.risk < 0.9
    assert record.saving is not None
    assert record.saving.p10 == 0


def test_values_in_another_unit_are_found_out() -> None:
    with pytest.raises(SpecError, match=r"up to 42.*unit share.*HL-9255"):
        check_shares(use(cpu=42.0, memory=0.1), ("cpu", "memory"), "share")
    shares = check_shares(use(cpu=42.0, memory=10.0), ("cpu", "memory"), "percent")
    assert float(shares["cpu"][0]) == pytest.approx(0.42)


async def test_csv_parquet_and_prometheus_say_the_same(tmp_path: Path) -> None:
    moments = [START + timedelta(minutes=5 * n) for n in range(4)]
    values = [0.1, 0.2, None, 0.4]
    pairs = list(zip(moments, values, strict=True))
    rows = ["at,busy", *(f"{moment.isoformat()},{'' if v is None else v}" for moment, v in pairs)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    pq.write_table(pa.table({"at": moments, "busy": values}), tmp_path / "a.parquet")
    points = [[moment.timestamp(), str(v)] for moment, v in pairs if v is not None]
    other = [[moments[0].timestamp(), "0.05"], [moments[2].timestamp(), "NaN"]]
    named = {"a": points, "b": other}.items()
    result = [{"metric": {"__name__": "busy", "pod": pod}, "values": found} for pod, found in named]
    (tmp_path / "a.json").write_text(json.dumps({"status": "success", "data": {"result": result}}))
    kinds = ("csv", "parquet", "json")
    found = [await read_series(tmp_path / f"a.{kind}", "at", {"cpu": "busy"}) for kind in kinds]
    for series in found:
        assert series.at.tolist() == [m.timestamp() for m in moments]
        assert np.array_equal(series["cpu"], [0.1, 0.2, math.nan, 0.4], equal_nan=True)


def test_moments_are_put_in_order_and_of_those_given_twice_the_largest_value_counts() -> None:
    series = series_of("made", [300, 0, 300, 600], {"cpu": [0.2, 0.1, 0.5, math.nan]})
    assert series.at.tolist() == [0, 300, 600]
    assert series["cpu"].tolist()[:2] == [0.1, 0.5]
    assert math.isnan(series["cpu"][2])
    assert (series.repeated, series.reordered) == (1, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("at,cpu\n", "no row.*HL-9244"),
        ("when,cpu\n1,2\n", "no column at.*HL-9243"),
        ("at,cpu\n1,-0.5\n", "the value -0.5 for cpu.*HL-9244"),
        ("at,cpu\n1,inf\n", "the value inf for cpu.*HL-9244"),
        ("at,cpu\nnan,1\n", "a moment that is no number.*HL-9244"),
        ("at,cpu\nyesterday,1\n", "the moment 'yesterday'.*HL-9243"),
        ("at,cpu\n1,much\n", "the value 'much'.*HL-9243"),
    ],
)
async def test_a_series_that_cannot_be_is_refused_by_name(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SpecError, match=why):
        await read_series(tmp_path / "a.csv", "at", {"cpu": "cpu"})


@pytest.mark.parametrize("name", ["a.parquet", "a.json", "a.csv", "missing.csv"])
async def test_bytes_that_are_something_else_are_refused(tmp_path: Path, name: str) -> None:
    if name != "missing.csv":
        (tmp_path / name).write_bytes(b"\xff\xfe{]")
    with pytest.raises(SpecError, match="HL-9243"):
        await read_series(tmp_path / name, "at", {"cpu": "cpu"})


async def test_machines_of_ones_own_are_read_and_wrong_ones_refused(tmp_path: Path, machines: Path) -> None:
    rows = ["at,cpu,memory", *(f"{START.timestamp() + 3600 * n},0.1,0.1" for n in range(24 * 9))]
    (tmp_path / "use.csv").write_text("\n".join(rows))
    kept = Kept(KEPT.run, "scoring", f"file://{tmp_path}/evidence")
    record, ref = await recommend_size(
        SizeRequest(kept, tmp_path / "use.csv", "made", "large", machines=machines)
    )
    assert record.recommended == "small"
    assert ref.path == "m/optimize/r/~optimize/rightsizing/scoring/result-1.json"
    with pytest.raises(NotFoundError, match="HL-9256"):
        load_machines(machines).find("made", "gone")
    for wrong in ("made,x,2,8,", "made,x,2,8,-1", "made,x,many,8,1"):
        machines.write_text(MACHINES + wrong + "\n")
        with pytest.raises(SpecError, match="HL-9257"):
            load_machines(machines)
