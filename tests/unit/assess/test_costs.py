"""The bill of a move: to the cent, with the regime that holds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.assess.basis import load_basis
from heavylift.assess.costs import egress_cost
from heavylift.evidence.assess_input import Component, Devices, Line, Target
from heavylift.evidence.assess_records import CostLine, Plan
from heavylift.facts.egress import price_lists
from heavylift.facts.regimes import load_regimes, regimes_for
from heavylift.facts.tables import table
from tests.unit.assess.inputs import BASIS, GBIT, TB, TIB, constraints, dataset, planned

FAST = (Line(name="line", bits_per_second=1000 * GBIT),)
AWS = (("10240", "0.09"), ("40960", "0.085"), ("102400", "0.07"), ("Infinity", "0.05"))


def line(plan: Plan, item: str) -> CostLine:
    return next(each for each in plan.costs.lines if each.item == item)


def by_hand(size_bytes: int) -> Decimal:
    """Return what AWS bills for a month of internet egress, in exact decimals."""
    left, usd = Decimal(size_bytes) / 2**30, Decimal(0)
    for room, rate in AWS:
        taken = min(left, Decimal(room))
        usd, left = usd + taken * Decimal(rate), left - taken
    return usd


@pytest.mark.parametrize(
    ("tib", "usd"), [(1, 92.16), (10, 921.60), (50, 4403.20), (150, 11571.20), (151, 11622.40)]
)
def test_the_plan_has_the_exact_tiers_to_the_cent(tib: int, usd: float) -> None:
    plan = planned(dataset(size_bytes=tib * TIB), constraints=constraints(lines=FAST, workers=4000))
    egress = line(plan, "egress")
    assert egress.cost.high == usd
    assert sum(tier.usd for tier in egress.tiers) == pytest.approx(usd, abs=0.005)
    assert all(price.source and price.as_of for price in egress.prices)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**16), st.integers(1, 12))
def test_tiers_agree_with_exact_decimals(size_bytes: int, months: int) -> None:
    cost, tiers = egress_cost(size_bytes, price_lists(BASIS.prices, "aws", "internet").values(), months)
    exact = by_hand(size_bytes // months) * months if size_bytes % months == 0 else None
    assert cost.high is not None
    if exact is not None:
        assert abs(Decimal(cost.high) - exact) < Decimal("0.005")
    assert sum(tier.usd for tier in tiers) == pytest.approx(cost.high, abs=0.02 * len(tiers) + 1e-9)


def test_several_months_cost_more_since_tiers_begin_anew() -> None:
    lists = list(price_lists(BASIS.prices, "aws", "internet").values())
    (one, _), (three, _) = egress_cost(300 * TIB, lists, 1), egress_cost(300 * TIB, lists, 3)
    assert one.high == pytest.approx(float(by_hand(300 * TIB)))
    assert three.high == pytest.approx(3 * float(by_hand(100 * TIB)))


@pytest.mark.parametrize(
    ("day", "customer", "purpose", "ids"),
    [
        ("2025-09-11", "EU", "leave", {"exit-waiver"}),
        ("2026-11-28", "EU", "leave", {"exit-waiver", "eu-data-act-cost"}),
        ("2027-01-12", "EU", "leave", {"exit-waiver", "eu-data-act-ban"}),
        ("2027-01-12", "US", "leave", {"exit-waiver"}),
        ("2026-11-28", "UK", "in-parallel", {"gcp-data-transfer-essentials"}),
    ],
)
def test_which_regime_may_hold_depends_on_the_day_and_the_customer(
    day: str, customer: str, purpose: str, ids: set[str]
) -> None:
    found = regimes_for(load_regimes(), "gcp", customer, purpose, day)
    assert {each.id for each in found} == ids


def egress(**limits: object) -> Plan:
    return planned(dataset(size_bytes=10 * TIB), constraints=constraints(lines=FAST, workers=4000, **limits))


def test_the_law_counts_by_itself_from_its_first_day() -> None:
    before, after = (egress(start=day, customer="EU") for day in ("2027-01-11", "2027-01-12"))
    assert line(before, "egress").cost.high == 921.60
    assert line(after, "egress").cost.high == 0
    (ban,) = [each for each in after.costs.regimes if each.counted]
    assert (ban.id, ban.saves_usd) == ("eu-data-act-ban", 921.60)


def test_a_waiver_counts_only_where_it_was_granted() -> None:
    assert line(egress(), "egress").cost.high == 921.60
    assert [each.saves_usd for each in egress().costs.regimes] == [921.60]
    assert line(egress(claims=("exit-waiver",)), "egress").cost.high == 0


def test_a_rate_that_nobody_publishes_is_never_counted() -> None:
    plan = egress(start="2026-01-01", customer="EU", claims=("eu-data-act-cost",))
    assert line(plan, "egress").cost.high == 921.60


def test_double_running_is_by_hand() -> None:
    part = Component(id="a", service="S3", monthly_usd=300.0)
    cost = line(planned(part, constraints=constraints(keep_days=15)), "double running").cost
    assert (cost.low, cost.high) == (150.0, 150.0)


def test_what_has_no_price_is_named_and_in_no_sum() -> None:
    plan = planned(dataset(), targets=(Target(platform="azure", region="westeurope"),))
    assert any("azure" in text for text in plan.costs.unknown)
    assert any(risk.id == "R-COST" and risk.probability == 0.3 for risk in plan.risks)


def shipped(**offer: object) -> Plan:
    return planned(
        dataset(service="object storage", size_bytes=600 * TB),
        source="kubernetes",
        constraints=constraints(devices=Devices(**offer), deadline_days=30),  # type: ignore[arg-type]
        targets=(Target(platform="gcp", region="europe-west4"),),
    )


def test_devices_are_taken_where_the_line_is_too_slow_and_their_fee_is_unknown_until_told() -> None:
    plan = shipped(at_once=2)
    (part,) = plan.components
    assert (part.route, plan.met) == ("appliance", True)
    assert "fee and shipping of devices" in plan.costs.unknown
    told = shipped(at_once=2, usd_per_round=2500.0)
    assert line(told, "devices").cost.high == 2500.0
    assert told.costs.unknown == ()
    online = next(each for each in plan.scenarios if not each.taken)
    assert online.days_p90 is not None
    assert online.days_p90 > 30


def test_no_device_is_offered_that_cannot_be_had() -> None:
    plan = planned(
        dataset(size_bytes=600 * TB),
        source="kubernetes",
        targets=(Target(platform="aws", region="eu-west-1"),),
        constraints=constraints(devices=Devices(model="aws-snowball-edge-210tb"), deadline_days=30),
    )
    refused = next(each for each in plan.scenarios if not each.taken)
    assert "existing customers only" in refused.reason
    assert plan.components[0].route == "online"


def test_a_cloud_takes_no_device() -> None:
    plan = planned(dataset(size_bytes=600 * TB), constraints=constraints(devices=Devices()))
    assert any("plugged into aws" in each.reason for each in plan.scenarios)


def test_a_device_of_ones_own_table_can_be_taken(tmp_path: Path) -> None:
    row = table("devices.csv")[0] | {
        "id": "van",
        "provider": "aws",
        "usable_bytes": str(10**15),
        "offered": "us",
    }
    values = ",".join(f'"{value}"' for value in row.values())
    (tmp_path / "devices.csv").write_text(f"{','.join(row)}\n{values}\n")
    assert load_basis(tmp_path).devices["van"].capacity_bytes == 10**15
    assert load_basis(tmp_path).sha256 != BASIS.sha256
