"""Commitments, spot machines and the rest: the cheapest mix, held to trying all of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.errors import SpecError
from heavylift.evidence.records import RunKey
from heavylift.optimize.checkpoints import Interruptions
from heavylift.optimize.mixing import Job, MixRequest, Serving, mix_of
from heavylift.optimize.purchases import Commitment, Prices, best_mix, hourly_cost, whole_machines
from heavylift.optimize.requests import Kept
from heavylift.optimize.resilience import Replaced, down_share, machines_for, shortfall
from heavylift.optimize.series import Series, series_of

YEAR = Commitment("one-year", 0.6, 8760)
KEPT = Kept(RunKey(migration="m", phase="optimize", run="r"), "fleet")


@given(
    hours=st.lists(st.integers(0, 12), min_size=1, max_size=40),
    committed=st.floats(0.05, 1.5),
    spot=st.floats(0.05, 1.5),
    share=st.floats(0, 1),
    factor=st.floats(1, 2),
)
@settings(max_examples=200, deadline=None)
def test_it_is_as_cheap_as_the_cheapest_of_all_levels(
    hours: list[int], committed: float, spot: float, share: float, factor: float
) -> None:
    demand = whole_machines([float(each) for each in hours])
    prices = Prices(1.0, spot, (Commitment("c", committed, 100),), factor)
    found = best_mix(demand, prices, share)
    costs = [float(hourly_cost(demand, prices, share, level).sum()) for level in range(14)]
    assert found.cost == pytest.approx(min(costs))
    # What is bought serves the demand: nothing is left out.
    served = np.minimum(demand, found.committed).sum() + found.spot_hours + found.on_demand_hours
    assert served == pytest.approx(demand.sum())


@given(hours=st.lists(st.integers(0, 12), min_size=1, max_size=60), price=st.floats(0.05, 0.95))
def test_without_spot_it_commits_to_the_break_even_quantile(hours: list[int], price: float) -> None:
    demand = whole_machines([float(each) for each in hours])
    found = best_mix(demand, Prices(1.0, None, (Commitment("c", price, 100),)))
    assert found.break_even == pytest.approx(price)
    used = [float((demand >= level).mean()) for level in range(1, 14)]
    # The next machine would be used too little; the last one is used enough.
    assert used[found.committed] <= price + 1e-9
    if found.committed:
        assert used[found.committed - 1] >= price - 1e-9


@given(factor=st.floats(1, 3), more=st.floats(1, 2))
def test_dearer_interruptions_never_make_the_mix_cheaper(factor: float, more: float) -> None:
    demand = np.array([1.0, 5, 3, 8, 2, 2, 9, 4])
    costs = [best_mix(demand, Prices(1.0, 0.3, (YEAR,), f), 0.5).cost for f in (factor, factor * more)]
    assert costs[1] >= costs[0] - 1e-9


def fleet(days: int, high: int = 10) -> Series:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    at = [(start + timedelta(hours=h)).timestamp() for h in range(24 * days)]
    return series_of(
        "made", at, {"machines": [4 + (high - 4) * (8 <= h % 24 < 18) for h in range(24 * days)]}
    )


def request(**other: object) -> MixRequest:
    prices = Prices(1.0, 0.3, (YEAR,), 1.1)
    return MixRequest(KEPT, prices, "made, 2026-11-01", **other)  # type: ignore[arg-type]


def test_a_known_demand_is_bought_as_planted_and_the_saving_has_its_spread() -> None:
    record = mix_of(request(), fleet(28))
    # 4 machines run always; 6 more for ten hours of 24, less than the break-even of 60 %.
    assert (record.committed, record.commitment) == (4, "one-year")
    assert record.saving is not None
    assert record.saving.p10 <= record.saving.p50 <= record.saving.p90
    # 0.4 saved on each of 4 machines, in every one of 730 hours.
    assert record.saving.p50 == pytest.approx(4 * 0.4 * 730)
    assert record.held_out == pytest.approx(1 - record.cost / record.all_on_demand)
    assert record.covered == pytest.approx(28 * 24 / 8760, abs=1e-4)
    assert [each.rule for each in record.findings] == ["shorter-than-term"]
    spot = mix_of(request(spot_share=0.5), fleet(28))
    assert spot.cost < record.cost
    assert spot.spot_hours > 0


@pytest.mark.parametrize(
    ("series", "why"),
    [
        (fleet(10), "10.0 days of values; 14 are needed"),
        (Series(fleet(28).at[::2], {"machines": fleet(28)["machines"][::2]}), "one value every 7200 seconds"),
        (
            Series(fleet(28).at[np.r_[0:300, 400:672]], {"machines": np.ones(572)}),
            "values for 85% of the hours",
        ),
    ],
)
def test_a_series_that_says_too_little_recommends_nothing(series: Series, why: str) -> None:
    record = mix_of(request(), series)
    assert record.saving is None
    assert record.committed == 0
    assert why in record.insufficient[0]
    assert record.statement.startswith("insufficient data")


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 0.0, math.inf])
def test_prices_that_are_none_are_refused(wrong: float) -> None:
    with pytest.raises(SpecError, match="HL-9249"):
        Prices(wrong)
    with pytest.raises(SpecError, match="HL-9249"):
        Prices(1.0, wrong)
    with pytest.raises(SpecError, match="HL-9249"):
        Prices(1.0, None, (Commitment("c", wrong, 1),))


@pytest.mark.parametrize("wrong", [[], [math.nan], [-1.0], [1e9]])
def test_a_demand_that_cannot_be_is_refused(wrong: list[float]) -> None:
    with pytest.raises(SpecError, match="HL-9250"):
        whole_machines(wrong)
    with pytest.raises(SpecError, match="HL-9251"):
        best_mix(np.ones(3), Prices(1.0), 1.5)


def test_a_job_is_told_by_formula_and_played_through_alike() -> None:
    met = Interruptions(0.1, 0.2, 0.1, 0.02)
    record = mix_of(request(job=Job(20.0, met, deadline=26.0)), None)
    job = record.job
    assert job is not None
    assert abs(job.simulated_cost - job.cost) < 4 * job.simulated_error
    assert job.interval == job.daly
    assert job.saving.p10 <= job.saving.p50 <= job.saving.p90
    assert job.late is not None
    assert job.late_high is not None
    assert job.late < job.late_high < 1
    # Nobody can be early: a deadline before the work is done is always missed.
    always = mix_of(request(job=Job(20.0, met, deadline=19.0)), None).job
    assert always is not None
    assert always.late == 1.0


def test_machines_that_are_taken_away_are_made_up_for() -> None:
    met = Replaced(rate=0.05, hours=0.2)
    found = machines_for(10, 1e-3, met)
    assert found is not None
    assert shortfall(found.machines, 10, met) <= 1e-3 < shortfall(found.machines - 1, 10, met)
    record = mix_of(request(serving=Serving(10, 1e-3, met)), None)
    assert record.serving is not None
    assert record.serving.machines == found.machines
    assert record.serving.usd_per_hour == pytest.approx(found.machines * 0.3)
    # All at once, twice a day for half an hour: no number of machines helps.
    assert machines_for(10, 1e-3, Replaced(0.05, 0.5, common_rate=1 / 12)) is None


@given(machines=st.integers(1, 40), need=st.integers(1, 40), rate=st.floats(0, 5), hours=st.floats(0, 5))
@settings(max_examples=60, deadline=None)
def test_the_share_of_time_with_too_few_is_what_drawing_them_gives(
    machines: int, need: int, rate: float, hours: float
) -> None:
    met = Replaced(rate, hours)
    share = shortfall(machines, need, met)
    up = 1 - down_share(rate, hours)
    drawn = np.random.default_rng(3).binomial(machines, up, 20_000)
    assert share == pytest.approx(float((drawn < need).mean()), abs=0.02)
    assert shortfall(machines + 1, need, met) <= share + 1e-12


def test_one_machine_is_away_as_long_as_rate_and_replacement_say() -> None:
    g = np.random.default_rng(1)
    ups, downs = g.exponential(1 / 0.5, 50_000).sum(), 50_000 * 0.3
    assert down_share(0.5, 0.3) == pytest.approx(downs / (ups + downs), rel=0.02)
    with pytest.raises(SpecError, match="HL-9252"):
        Replaced(-1.0, 0.1)
    with pytest.raises(SpecError, match="HL-9253"):
        machines_for(0, 0.1, Replaced(0.1, 0.1))


def test_the_bill_of_a_job_on_dear_spot_machines_is_no_recommendation(tmp_path: Path) -> None:
    prices = Prices(1.0, 0.99, (), 1.5)
    record = mix_of(MixRequest(KEPT, prices, "made", spot_share=0.5), fleet(28))
    assert record.spot_hours == 0
    assert [each.rule for each in record.findings] == ["spot-is-dearer"]
