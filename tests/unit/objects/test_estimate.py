"""What a move costs and takes: exact tiers, honest ranges, and a limit that refuses before the start."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.errors import ConflictError, SpecError
from heavylift.evidence.estimates import EstimateRecord, PriceNote
from heavylift.evidence.records import PlanRecord, RunKey, Tally
from heavylift.facts.egress import egress_line, tier_sum
from heavylift.facts.estimate import Workload, estimate, refuse_too_dear, request_lines
from heavylift.facts.prices import GIB, EgressPrice, load_prices
from heavylift.facts.tables import table
from heavylift.locations import Location
from heavylift.objects.api import TransferOptions, TransferRequest, plan_transfer
from heavylift.objects.large_parts import BEYOND_MEMORY
from heavylift.objects.part_layout import part_size
from heavylift.objects.requests import CostOptions
from heavylift.objects.wording import estimate_line, estimate_lines
from heavylift.platforms.local.posix import PosixStore
from heavylift.platforms.places import Place
from heavylift.spec.datasets import Limits

TIB = 2**40
BOOK = load_prices()
WORK = Workload(
    source="aws",
    target="gcp",
    listed_source=10_000,
    listed_target=0,
    to_move=Tally(objects=10_000, size_bytes=100 * GIB),
)


def tiers(provider: str, name: str) -> list[EgressPrice]:
    return [price for price in BOOK.egress if (price.provider, price.tier) == (provider, name)]


@pytest.mark.parametrize(
    ("tib", "usd"), [(1, 92.16), (10, 921.6), (50, 4403.2), (150, 11571.2), (151, 11622.4)]
)
def test_aws_tiers_are_summed_exactly_and_not_at_one_rate(tib: int, usd: float) -> None:
    assert tier_sum(tib * TIB, tiers("aws", "internet"), free=False) == pytest.approx(usd)


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_more_bytes_never_cost_less(one: int, other: int) -> None:
    low, high = sorted((one, other))
    for free in (True, False):
        assert (tier_sum(low, tiers("aws", "internet"), free=free) or 0) <= (
            tier_sum(high, tiers("aws", "internet"), free=free) or 0
        ) + 1e-9


def test_the_free_allowance_makes_the_low_end() -> None:
    line = egress_line("aws", "gcp", 100 * GIB, 100 * GIB, BOOK)
    assert line.cost.low == 0
    assert line.cost.high == pytest.approx(9.0)
    assert all(note.as_of and note.source for note in line.prices)


def test_google_is_a_range_between_its_two_networks_and_its_regimes_are_named_not_counted() -> None:
    line = egress_line("gcp", "aws", TIB, TIB, BOOK)
    assert line.cost.low == pytest.approx(1024 * 0.085)
    assert line.cost.high == pytest.approx(1024 * 0.12)
    assert any("Data Transfer Essentials" in regime for regime in line.regimes)


def test_within_one_cloud_the_low_end_is_one_region_and_the_high_one_between_regions() -> None:
    line = egress_line("aws", "aws", TIB, TIB, BOOK)
    assert (line.cost.low, line.regimes) == (0.0, ())
    assert line.cost.high == pytest.approx(1024 * 0.02)


def test_ones_own_machines_bill_nothing_and_the_line_is_said_to_be_unknown() -> None:
    line = egress_line("kubernetes", "gcp", TIB, TIB, BOOK)
    assert (line.cost.low, line.cost.high) == (0.0, 0.0)
    assert "not known" in line.prices[0].note


def test_a_price_that_nobody_dated_is_unknown_and_never_guessed() -> None:
    record = estimate(replace(WORK, target="azure"), BOOK)
    unknown = [line for line in record.requests if line.side == "target" and line.high]
    assert unknown
    assert all(line.cost.low is None and line.cost.high is None for line in unknown)
    assert "write requests on azure (target)" in record.unknown
    assert record.total.high is not None  # of what is known
    assert "no known price" in "\n".join(estimate_lines(record))


def test_every_built_in_price_has_a_day_and_a_source_or_no_value() -> None:
    for price in (*BOOK.requests, *BOOK.services):
        assert price.note.verified
        assert price.usd is None or (price.note.as_of and price.note.source), price
    for row in table("egress_prices.csv"):
        assert row["source"]
        assert row["verified"]


def test_requests_are_counted_by_kind_and_side() -> None:
    lines = {(line.side, line.request): line for line in request_lines(WORK)}
    assert lines["source", "list"].low == 20  # the plan and the verification, ten pages each
    assert lines["target", "list"].low == 11
    assert lines["source", "read"].low == 10_300  # each object, and the attributes of 300 afterwards
    looked = {(line.side, line.request): line for line in request_lines(replace(WORK, looked_at=300))}
    assert looked["source", "read"].low == 10_600
    asked = {(line.side, line.request): line for line in request_lines(replace(WORK, rechecked=5_000))}
    assert (asked["source", "read"].low, asked["target", "read"].low) == (15_300, 5_300)
    assert asked["target", "write"] == lines["target", "write"]
    every = {(line.side, line.request): line for line in request_lines(replace(WORK, proved=70_000))}
    assert every["target", "read"].low == 70_000
    assert lines["target", "write"].low == 10_000
    assert all(line.low <= line.high for line in lines.values())


def test_parts_cost_a_write_each_and_what_makes_the_object_of_them() -> None:
    work = replace(WORK, large=10, parts=640)
    writes = {
        target: next(
            line.low for line in request_lines(replace(work, target=target)) if line.request == "write"
        )
        for target in ("aws", "azure", "gcp")
    }
    assert writes["aws"] == 9_990 + 640 + 20
    assert writes["azure"] == 9_990 + 640 + 10
    assert writes["gcp"] == 9_990 + 640 + 21


def test_durations_are_at_the_limit_and_on_usual_lines() -> None:
    record = estimate(WORK, BOOK, max_bandwidth=100 * 2**20)
    assert record.durations[0].seconds == pytest.approx(1024)
    gigabit = next(line for line in record.durations if line.rate.startswith("1 Gbit/s"))
    assert gigabit.seconds == pytest.approx(100 * GIB / (125e6 * 0.75))
    assert "1 Gbit/s" in estimate_line(record)


def test_a_second_read_of_unproved_objects_is_in_the_high_end() -> None:
    record = estimate(replace(WORK, unproved_bytes=40 * GIB), BOOK)
    assert record.egress.low_bytes == 100 * GIB
    assert record.egress.high_bytes == 140 * GIB


def test_a_service_bills_by_volume_and_by_run() -> None:
    record = estimate(WORK, BOOK, via="datasync")
    assert record.service.cost.high == pytest.approx(0.015 * 100 * GIB / 1e9 + 0.55)
    free = estimate(replace(WORK, to_move=Tally()), BOOK, via="datasync")
    assert free.service.cost.high == 0


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.csv"
    path.write_text(text)
    return path


def test_ones_own_prices_replace_those_of_the_providers_they_name(tmp_path: Path) -> None:
    mine = own(
        tmp_path,
        "provider,tier,from_gib,to_gib,usd_per_gib,as_of,source,verified\n"
        "aws,internet,0,,0.01,2026-11-01,our contract,yes\n",
    )
    line = egress_line("aws", "gcp", TIB, TIB, load_prices(mine))
    assert line.cost.high == pytest.approx(10.24)
    assert line.prices == (PriceNote(as_of="2026-11-01", source="our contract", verified="yes"),)
    assert egress_line("gcp", "aws", TIB, TIB, load_prices(mine)).cost.high == pytest.approx(1024 * 0.12)


def test_ones_own_request_prices_make_the_unknown_known(tmp_path: Path) -> None:
    rows = "".join(f"azure,{kind},0.006\n" for kind in ("list", "read", "write", "tags"))
    mine = own(tmp_path, "provider,request,usd_per_1000\n" + rows)
    record = estimate(replace(WORK, target="azure"), load_prices(mine))
    assert record.unknown == ()


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "provider,request,usd_per_1000\naws,list,dear\n", "service,unit,usd\nx,gb,-1\n"],
)
def test_a_file_of_prices_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError, match="HL-5510"):
        load_prices(own(tmp_path, text))
    with pytest.raises(SpecError, match="HL-5510"):
        load_prices(tmp_path / "nowhere.csv")


def record_with(high: float, limit: float | None, unknown: tuple[str, ...] = ()) -> EstimateRecord:
    made = estimate(WORK, BOOK, max_cost_usd=limit)
    total = made.total.model_copy(update={"high": high})
    return made.model_copy(update={"total": total, "unknown": unknown})


def test_the_limit_refuses_what_may_cost_more_and_what_nobody_can_price() -> None:
    refuse_too_dear("d", record_with(100, None))
    refuse_too_dear("d", record_with(100, 100))
    with pytest.raises(ConflictError, match=r"up to 100\.01 USD.*at most 100\.00 USD.*HL-5511"):
        refuse_too_dear("d", record_with(100.01, 100))
    with pytest.raises(ConflictError, match=r"no known price for egress from x"):
        refuse_too_dear("d", record_with(1, 100, ("egress from x",)))


def request_for(tmp_path: Path, **options: object) -> TransferRequest:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    for number, size in enumerate((0, 10, 20_000, 6 * 2**20, 11 * 2**20)):
        (tmp_path / "source" / f"object-{number}").write_bytes(bytes(size))
    return TransferRequest(
        run=RunKey(migration="m", phase="transfer", run="one"),
        dataset="d",
        source=Place(Location("file", str(tmp_path / "source"))),
        target=Place(Location("file", str(tmp_path / "target"))),
        evidence_url=f"file://{tmp_path}/evidence",
        evidence_connection=None,
        options=TransferOptions(limits=Limits(part_size=5 * 2**20), **options),  # type: ignore[arg-type]
    )


async def test_a_plan_counts_objects_bytes_sizes_and_parts_exactly(tmp_path: Path) -> None:
    plan = await plan_transfer(request_for(tmp_path, dry_run=True))
    found = plan.estimate
    assert found is not None
    assert (found.objects, found.size_bytes) == (5, 20_010 + 17 * 2**20)
    assert [(each.up_to_bytes, each.objects) for each in found.sizes] == [
        (16 * 2**10, 2),
        (2**20, 1),
        (16 * 2**20, 2),
    ]
    assert (found.large_objects, found.parts) == (2, 2 + 3)
    assert PlanRecord.model_validate_json(plan.model_dump_json()).estimate == found


async def test_parts_are_counted_as_large_as_the_target_makes_them(tmp_path: Path) -> None:
    request = request_for(tmp_path, dry_run=True)
    for number, size_bytes in enumerate((10_000 * 5 * 2**20, 10_000 * 5 * 2**20 + 1, 3 * 2**40)):
        with (tmp_path / "source" / f"sparse-{number}").open("xb") as file:
            file.truncate(size_bytes)
    found = (await plan_transfer(request)).estimate
    assert found is not None
    sizes = [*(11 * 2**20, 6 * 2**20), 10_000 * 5 * 2**20, 10_000 * 5 * 2**20 + 1, 3 * 2**40]
    expected = [math.ceil(size / part_size(size, 5 * 2**20, PosixStore.traits)) for size in sizes]
    assert (found.large_objects, found.parts) == (5, sum(expected))
    assert expected[2:] == [10_000, 10_000, 10_000]


async def test_parts_that_memory_cannot_hold_are_told(tmp_path: Path) -> None:
    request = request_for(tmp_path, dry_run=True)
    budget = request.options.limits.memory_budget
    for name, size_bytes in (
        ("fits", budget * 10_000),
        ("large", budget * 10_000 + 1),
        ("larger", 3 * 2**40),
    ):
        with (tmp_path / "source" / name).open("xb") as file:
            file.truncate(size_bytes)
    plan = await plan_transfer(request)
    (told,) = [each for each in plan.findings if each.rule == BEYOND_MEMORY]
    assert told.severity == "warning"
    assert told.detail.startswith("2 objects of up to 3.0 TiB need parts of up to 314.6 MiB,")
    (tmp_path / "source" / "large").unlink()
    (tmp_path / "source" / "larger").unlink()
    again = replace(request, run=request.run.model_copy(update={"run": "again"}))
    assert not [each for each in (await plan_transfer(again)).findings if each.rule == BEYOND_MEMORY]


async def test_a_plan_that_is_too_dear_is_refused_before_it_starts_and_not_stored(tmp_path: Path) -> None:
    mine = own(
        tmp_path,
        "provider,tier,from_gib,to_gib,usd_per_gib,as_of,source,verified\naws,internet,0,,1000,d,s,yes\n",
    )
    cost = CostOptions(source_platform="aws", target_platform="gcp", prices=mine, max_usd=5)
    request = request_for(tmp_path, cost=cost)
    with pytest.raises(ConflictError, match="HL-5511"):
        await plan_transfer(request)
    assert list((tmp_path / "target").iterdir()) == []
    dearer = replace(request, options=replace(request.options, cost=replace(cost, max_usd=50)))
    assert (await plan_transfer(dearer)).to_copy.objects == 5


async def test_a_dry_run_shows_the_estimate_that_a_start_would_refuse(tmp_path: Path) -> None:
    cost = CostOptions(source_platform="aws", target_platform="azure", max_usd=0)
    plan = await plan_transfer(request_for(tmp_path, cost=cost, dry_run=True))
    assert plan.estimate is not None
    assert plan.estimate.unknown
