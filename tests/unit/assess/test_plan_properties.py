"""What must hold of every plan, whatever the input."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heavylift.assess.carrying import Carrier
from heavylift.assess.document import digest_of
from heavylift.assess.graph import build_graph, moving_order
from heavylift.assess.plan import make_plan
from heavylift.assess.strategy import choose
from heavylift.evidence.assess_input import Component, Dependency, Line, PlanInput
from heavylift.evidence.assess_records import Plan
from tests.unit.assess.inputs import BASIS, GBIT, TB, constraints, dataset
from tests.unit.assess.inputs import given as an_input

LEAN = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SLACK = 1e-6
CENT = 0.02

sizes = st.integers(0, 40 * TB)


@st.composite
def components(draw: st.DrawFn) -> list[Component]:
    count = draw(st.integers(1, 7))
    return [
        dataset(
            f"c{number}",
            kind=draw(st.sampled_from(["dataset", "database"])),
            service=draw(st.sampled_from(["S3", "RDS"])),
            owner=draw(st.sampled_from(["", "a", "b"])),
            size_bytes=draw(sizes),
            objects=draw(st.integers(0, 10**7)),
            change_bytes_per_day=draw(st.integers(0, 20 * TB)),
            log_access=draw(st.sampled_from([None, True, False])),
            sync_key=draw(st.sampled_from([None, True])),
            partitions=draw(st.integers(1, 50)),
            monthly_usd=draw(st.integers(0, 1000)),
        )
        for number in range(count)
    ]


@st.composite
def inputs(draw: st.DrawFn, **changes: Any) -> PlanInput:
    parts = draw(components())
    ids = [part.id for part in parts]
    pairs = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=12))
    limits = constraints(
        downtime_seconds=draw(st.integers(60, 10**6)),
        wave_bytes=draw(st.integers(1, 60 * TB)),
        wave_components=draw(st.integers(1, 5)),
        **changes,
    )
    return an_input(
        *parts,
        constraints=limits,
        dependencies=tuple(Dependency(component=one, needs=other) for one, other in pairs),
    )


def plan_of(given_: PlanInput, **changes: Any) -> Plan:
    limits = given_.constraints.model_copy(update=changes)
    return make_plan(given_.model_copy(update={"constraints": limits}), BASIS)


def stuck(plan: Plan) -> int:
    return sum(1 for each in plan.components if each.strategy == "none")


def days(plan: Plan) -> float:
    return float("inf") if stuck(plan) or plan.duration.p90 is None else plan.duration.p90


@LEAN
@given(inputs())
def test_nothing_is_lost_and_waves_respect_every_edge(given_: PlanInput) -> None:
    plan = plan_of(given_)
    wave = {each.id: each.wave for each in plan.components}
    assert sorted(wave) == sorted(each.id for each in given_.components)
    assert len(plan.components) == len(given_.components)
    assert all(wave[each.needs] <= wave[each.component] for each in given_.dependencies)
    assert sum(each.components for each in plan.waves) == len(given_.components)
    assert sum(each.size_bytes for each in plan.waves) == sum(each.size_bytes for each in given_.components)
    assert [each.number for each in plan.waves] == list(range(1, len(plan.waves) + 1))


@LEAN
@given(inputs())
def test_cycles_go_together_and_no_wave_goes_beyond_its_limits_but_for_one_group(given_: PlanInput) -> None:
    plan = plan_of(given_)
    wave = {each.id: each.wave for each in plan.components}
    graph = build_graph(given_.components, given_.dependencies)
    groups = moving_order(graph, given_.components)
    assert all(len({wave[graph.ids[number]] for number in group}) == 1 for group in groups)
    held = {number: [g for g in groups if wave[graph.ids[g[0]]] == number] for number in wave.values()}
    for each in plan.waves:
        if len(held[each.number]) > 1:
            assert each.components <= given_.constraints.wave_components
            assert each.size_bytes <= given_.constraints.wave_bytes
            assert each.downtime_seconds <= given_.constraints.downtime_seconds + SLACK


@LEAN
@given(inputs(), st.floats(1.0, 50.0))
def test_a_faster_line_never_takes_longer(given_: PlanInput, factor: float) -> None:
    slow, fast = (Line(name="line", bits_per_second=GBIT * by) for by in (1.0, factor))
    before, after = plan_of(given_, lines=(slow,)), plan_of(given_, lines=(fast,))
    assert stuck(after) <= stuck(before)
    assert days(after) <= days(before) + SLACK
    if stuck(after) == stuck(before) == 0:
        for one, other in zip(
            sorted(before.components, key=lambda each: each.id),
            sorted(after.components, key=lambda each: each.id),
            strict=True,
        ):
            assert (other.elapsed_seconds or 0) <= (one.elapsed_seconds or 0) + 0.01


@LEAN
@given(inputs(), st.integers(1, 30 * TB), st.data())
def test_more_volume_never_costs_less(given_: PlanInput, more: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(given_.components) - 1))
    parts = list(given_.components)
    parts[place] = parts[place].model_copy(update={"size_bytes": parts[place].size_bytes + more})
    before, after = plan_of(given_), plan_of(given_.model_copy(update={"components": tuple(parts)}))
    if stuck(before) < stuck(after) or before.duration.p90 is None or after.duration.p90 is None:
        return
    for end in ("low", "high"):
        assert (getattr(after.costs.total, end) or 0) >= (getattr(before.costs.total, end) or 0) - CENT
    assert days(after) >= days(before) - SLACK


@LEAN
@given(
    inputs(),
    st.floats(0.01, 200.0),
    st.floats(1.0, 10.0),
    st.lists(st.integers(0, 9000), min_size=2, max_size=4),
)
def test_a_looser_deadline_never_gives_a_dearer_plan(
    given_: PlanInput, deadline: float, factor: float, fees: list[int]
) -> None:
    lines = tuple(
        Line(name=f"line {n}", bits_per_second=GBIT * 3**n, usd_per_month=fee, setup_days=2 * n)
        for n, fee in enumerate(fees)
    )
    tight = plan_of(given_, lines=lines, deadline_days=deadline)
    loose = plan_of(given_, lines=lines, deadline_days=deadline * factor)
    free = plan_of(given_, lines=lines)
    for one, other in ((tight, loose), (loose, free)):
        assert len(other.costs.unknown) <= len(one.costs.unknown)
        assert (other.costs.total.high or 0) <= (one.costs.total.high or 0) + CENT
        assert stuck(one) == stuck(other)


@LEAN
@given(components(), st.floats(1.0, 20.0))
def test_more_downtime_never_needs_a_harder_way(parts: list[Component], factor: float) -> None:
    hardness = ["redeploy", "big-bang", "phased", "trickle", "cdc", "none"]
    carrier = Carrier("line", GBIT, 32)
    for part in parts:
        tight, loose = (
            choose(part, "object storage", carrier, constraints(downtime_seconds=600 * by)).way
            for by in (1.0, factor)
        )
        assert hardness.index(loose.strategy) <= hardness.index(tight.strategy)
        if tight.strategy != "none":
            assert tight.downtime_seconds <= 600 + SLACK


@LEAN
@given(inputs())
def test_the_same_input_gives_the_same_plan_in_whatever_order_it_comes(given_: PlanInput) -> None:
    turned = given_.model_copy(update={"components": given_.components[::-1]})
    one, other = plan_of(given_), plan_of(turned)
    assert digest_of(one) == digest_of(plan_of(given_))
    assert [each.id for each in one.components] == [each.id for each in other.components]
    assert one.duration.p50 is None or abs(one.duration.p50 - (other.duration.p50 or 0)) < 1e-3
