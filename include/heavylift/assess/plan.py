"""Makes the plan: from components and constraints to waves, ways, time, cost and risks. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from heavylift.assess.advice import Fate, fates_of
from heavylift.assess.basis import Basis
from heavylift.assess.carrying import Carrier, carriers
from heavylift.assess.costs import Bill, costs_of
from heavylift.assess.document import digest_of_input
from heavylift.assess.findings.find import DANGLING, find, find_in_graph
from heavylift.assess.findings.rule import Scene
from heavylift.assess.graph import Graph, build_graph, moving_order
from heavylift.assess.quotas import Quotas
from heavylift.assess.risks import Ground, risks_of
from heavylift.assess.simulate import Luck, draw_luck, simulate
from heavylift.assess.strategy import Choice, choose
from heavylift.assess.targets import choose_target
from heavylift.assess.waves import Slice, cut_waves
from heavylift.errors import SpecError
from heavylift.evidence.assess_input import Component, Constraints, PlanInput, Target
from heavylift.evidence.assess_records import (
    ComponentPlan,
    Costs,
    Duration,
    Finding,
    Plan,
    Scenario,
    Wave,
)
from heavylift.evidence.wording import counted, days_in_words, enumeration
from heavylift.facts.rates import DAY

ASSUMPTIONS = (
    "a wave bakes while the next is copied: waves add no time of their own",
    "what waits for the switch of its wave takes no more than a quarter of the line for its changes",
    "regimes and prices are those of the first day",
    "objects whose checksums do not prove them are read twice; that second read is not counted",
)


@dataclass(frozen=True)
class _Draft:
    """A plan for one way to carry the data."""

    carrier: Carrier
    choices: list[Choice]
    duration: Duration
    costs: Costs
    unusable: str = ""

    @property
    def stuck(self) -> int:
        return sum(1 for choice in self.choices if choice.way.strategy == "none" and choice.route != "none")


def make_plan(given: PlanInput, basis: Basis) -> Plan:
    """Return the plan; the same input and tables give the same plan, to the digest.

    :raises SpecError: two components have one id.
    """
    _demand_unique(given.components)
    target, choice = choose_target(given, basis)
    fates = fates_of(given.components, given.source, target.platform, basis)
    drafts = _drafts(given, target, basis, [fate.capability for fate in fates], draw_luck())
    taken, why = _take(drafts, given.constraints)
    graph = build_graph(given.components, given.dependencies)
    order = moving_order(graph, given.components)
    slices = cut_waves(
        order, given.components, taken.choices, given.constraints, taken.carrier.bytes_per_second
    )
    findings = tuple(_findings(given, target, basis, fates, taken.choices, graph, order))
    waves = _waves(slices, given.components, taken)
    unmet = _unmet(given, taken, findings)
    return Plan(
        migration=given.migration,
        source=given.source,
        target=target,
        start=given.constraints.start,
        input_sha256=digest_of_input(given),
        tables_sha256=basis.sha256,
        choice=choice,
        scenarios=tuple(_scenario(draft, draft is taken, why) for draft in drafts),
        duration=taken.duration,
        costs=taken.costs,
        waves=waves,
        components=tuple(_components(slices, given.components, fates, taken.choices)),
        dependencies=tuple((each.component, each.needs) for each in given.dependencies),
        findings=findings,
        risks=risks_of(
            Ground(given, taken.carrier, taken.choices, slices, taken.duration, taken.costs, findings)
        ),
        dangling=tuple(missing for missing, _ in graph.dangling),
        assumptions=(
            *ASSUMPTIONS,
            *taken.duration.assumptions,
            *(each.line for each in basis.refreshed),
        ),
        met=not unmet,
        unmet=unmet,
    )


def _demand_unique(components: Sequence[Component]) -> None:
    twice = [id_ for id_, count in Counter(each.id for each in components).items() if count > 1]
    if twice:
        raise SpecError(
            "planning",
            got=f"more than one component with the id {enumeration(twice)}",
            expected="an id of its own for every component",
            state="nothing was planned",
            remedy="give each component an id of its own in the input",
            code="6901",
        )


def _drafts(
    given: PlanInput, target: Target, basis: Basis, capabilities: Sequence[str], luck: Sequence[Luck]
) -> list[_Draft]:
    drafts = []
    for carrier, unusable in carriers(given.constraints, given.source, target.platform, basis.devices):
        choices = [
            choose(component, capability, carrier, given.constraints)
            for component, capability in zip(given.components, capabilities, strict=True)
        ]
        duration = simulate(given.components, choices, carrier, given.constraints.deadline_days, luck)
        bill = Bill(given, target, basis, carrier, duration)
        costs = costs_of(bill, given.components, choices, capabilities)
        drafts.append(_Draft(carrier, choices, duration, costs, unusable))
    return drafts


def _take(drafts: Sequence[_Draft], constraints: Constraints) -> tuple[_Draft, str]:
    """Return the cheapest way that keeps the deadline, else the quickest.

    How each way is judged does not depend on the deadline, so a looser one only adds to what can be
    chosen from: the plan never becomes dearer.
    """
    usable = [draft for draft in drafts if not draft.unusable]
    fewest = min(draft.stuck for draft in usable)
    usable = [draft for draft in usable if draft.stuck == fewest]
    deadline = constraints.deadline_days

    def cost(draft: _Draft) -> tuple[int, float, str]:
        return len(draft.costs.unknown), draft.costs.total.high or 0.0, draft.carrier.name

    def days(draft: _Draft) -> float:
        return float("inf") if draft.duration.p90 is None else draft.duration.p90

    in_time = [draft for draft in usable if days(draft) <= (deadline or float("inf"))]
    if in_time:
        kept = "the deadline" if deadline else "no deadline"
        return min(in_time, key=cost), f"the cheapest of {len(in_time)} that keep {kept}"
    best = min(usable, key=lambda draft: (days(draft), cost(draft)))
    return best, "none keeps the deadline: the quickest"


def _scenario(draft: _Draft, taken: bool, why: str) -> Scenario:
    days = draft.duration.p90
    reason = why if taken else draft.unusable
    if not reason:
        usd = draft.costs.total.high or 0.0
        reason = f"{'never ends' if days is None else f'{days:,.1f} days'}, up to {usd:,.2f} USD" + (
            f", and {counted(draft.stuck, 'component')} without a way" if draft.stuck else ""
        )
    return Scenario(
        name=draft.carrier.name,
        taken=taken,
        reason=reason,
        days_p90=days,
        usd_high=draft.costs.total.high,
        unknown=len(draft.costs.unknown),
    )


def _findings(
    given: PlanInput,
    target: Target,
    basis: Basis,
    fates: Sequence[Fate],
    choices: Sequence[Choice],
    graph: Graph,
    order: Sequence[tuple[int, ...]],
) -> Iterator[Finding]:
    quotas: Counter[str] = Counter()
    allowed = Quotas(target, lambda each: basis.need(each, given.source))
    for component, fate in zip(given.components, fates, strict=True):
        for name, amount in allowed.needed(component, fate).items():
            quotas[name] += amount  # type: ignore[assignment]  # Counter adds floats as well
    scenes = (
        Scene(
            component,
            fate,
            choice,
            given.source,
            target,
            given.constraints,
            basis,
            needed_by,
            quotas,
            allowed,
        )
        for component, fate, choice, needed_by in zip(
            given.components, fates, choices, graph.fan_in(), strict=True
        )
    )
    yield from find(scenes)
    cycles = [tuple(graph.ids[number] for number in group) for group in order if len(group) > 1]
    yield from find_in_graph(graph, cycles, given.constraints.accepted_references)


def _waves(slices: Sequence[Slice], components: Sequence[Component], draft: _Draft) -> tuple[Wave, ...]:
    """Return the waves with their days in the middle case: each takes its share of the whole."""
    weights = [
        sum(draft.choices[number].way.elapsed_seconds or 0.0 for group in each.groups for number in group)
        for each in slices
    ]
    start = draft.carrier.setup_days
    whole = sum(weights)
    middle = draft.duration.p50
    days = whole / DAY if middle is None else max(0.0, middle - start)
    waves = []
    at = start
    for number, (each, weight) in enumerate(zip(slices, weights, strict=True), start=1):
        end = at + (days * weight / whole if whole else 0.0)
        waves.append(
            Wave(
                number=number,
                components=sum(len(group) for group in each.groups),
                size_bytes=int(each.load[0]),
                downtime_seconds=round(each.load[2], 3),
                start_days=round(at, 4),
                end_days=round(end, 4),
                cut=each.cut,
                cycles=tuple(
                    tuple(components[n].id for n in group) for group in each.groups if len(group) > 1
                ),
            )
        )
        at = end
    return tuple(waves)


def _components(
    slices: Sequence[Slice],
    components: Sequence[Component],
    fates: Sequence[Fate],
    choices: Sequence[Choice],
) -> Iterator[ComponentPlan]:
    """Yield every component, in the order in which they move."""
    for number, each in enumerate(slices, start=1):
        for place in (place for group in each.groups for place in group):
            yield _component(number, components[place], fates[place], choices[place])


def _component(wave: int, component: Component, fate: Fate, choice: Choice) -> ComponentPlan:
    match, service, way = fate.accelerator, fate.service, choice.way
    rounded = None if way.elapsed_seconds is None else round(way.elapsed_seconds, 3)
    return ComponentPlan(
        id=component.id,
        wave=wave,
        treatment=fate.treatment,
        advice=fate.advice,
        capability=fate.capability,
        target_service=service.target_service if service else "",
        level=fate.level,
        lost=service.lost if service else "",
        effort=service.effort if service else 0,
        accelerator=match.instance.name if match and match.instance else "",
        accelerator_reason=match.reason if match else "",
        strategy=way.strategy,
        route=choice.route,
        reason=choice.reason,
        rejected=choice.rejected,
        elapsed_seconds=rounded,
        downtime_seconds=round(way.downtime_seconds, 3),
        moved_bytes=way.moved_bytes,
        rpo_seconds=way.rpo_seconds,
        rto_note=_way_back(component, choice),
    )


def _way_back(component: Component, choice: Choice) -> str:
    if choice.way.strategy == "redeploy":
        return "back by sending traffic to the source again"
    if component.reverse_sync:
        return "back without loss while reverse sync runs"
    return "back to the state of the switch: what was written since is lost"


def _unmet(given: PlanInput, draft: _Draft, findings: Sequence[Finding]) -> tuple[str, ...]:
    unmet = []
    if draft.stuck:
        unmet.append(
            f"{counted(draft.stuck, 'component')} without a way (rule AS-250); time and cost leave them out"
        )
    if unmeasured := sum(1 for each in given.components if not each.is_measured):
        unmet.append(
            f"{counted(unmeasured, 'component')} of unknown size (rule AS-242); time and cost leave them out"
        )
    deadline, days = given.constraints.deadline_days, draft.duration.p90
    if days is None:
        unmet.append("in more than one of ten simulated moves catching up never ends")
    elif deadline is not None and days > deadline:
        unmet.append(f"{days_in_words(days)} nine times in ten, and {deadline:g} days are allowed")
    if missing := sum(1 for finding in findings if finding.rule == DANGLING):
        unmet.append(f"{counted(missing, 'reference')} to something that is in no list (rule {DANGLING})")
    return tuple(unmet)
