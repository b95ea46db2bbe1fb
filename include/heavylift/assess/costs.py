"""What a move costs: egress by exact tiers under the regime that holds, requests, lines, devices, and
the time in which both sides run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from heavylift.assess.basis import Basis
from heavylift.assess.carrying import Carrier
from heavylift.assess.strategy import Choice
from heavylift.evidence.assess_input import Component, Constraints, PlanInput, Target
from heavylift.evidence.assess_records import CostLine, Costs, Duration, RegimeNote, TierLine
from heavylift.evidence.base import Tally
from heavylift.evidence.estimates import Money, PriceNote
from heavylift.evidence.wording import counted
from heavylift.facts.egress import egress_line, price_lists, tier_shares, tier_sum
from heavylift.facts.estimate import Workload, priced_requests, unpriced_requests
from heavylift.facts.prices import EgressPrice
from heavylift.facts.regimes import Regime, regimes_for

MONTH_DAYS = 30.0
_PART_BYTES = 64 * 2**20
_OBJECTS = {"object storage", "model registry", "container registry"}


@dataclass(frozen=True)
class Bill:
    """What the parts of the bill are made of."""

    given: PlanInput
    target: Target
    basis: Basis
    carrier: Carrier
    duration: Duration

    @property
    def months(self) -> int:
        """Billing months that the move touches, nine times in ten."""
        return max(1, math.ceil((self.duration.p90 or 0.0) / MONTH_DAYS))


def costs_of(
    bill: Bill, components: Sequence[Component], choices: Sequence[Choice], capabilities: Sequence[str]
) -> Costs:
    """Return the bill of a move."""
    moved = sum(choice.way.moved_bytes for choice in choices if choice.route != "none")
    egress, notes = _egress(bill, moved)
    unknown = [] if egress.cost.high is not None or not moved else [f"egress from {bill.given.source}"]
    requests, unpriced = _requests(bill, components, choices, capabilities)
    unknown += unpriced
    lines = [egress, requests, _double_running(bill, components), _line(bill)]
    if bill.carrier.devices is not None:
        devices = _devices(bill, components, choices)
        lines.append(devices)
        unknown += [] if devices.cost.high is not None else ["fee and shipping of devices"]
    return Costs(
        lines=tuple(lines),
        total=_cents(sum((line.cost for line in lines), Money())),
        regimes=notes,
        unknown=tuple(unknown),
    )


def _egress(bill: Bill, moved: int) -> tuple[CostLine, tuple[RegimeNote, ...]]:
    source, target = bill.given.source, bill.target.platform
    if source in {"kubernetes", target}:
        line = egress_line(source, target, moved, moved, bill.basis.prices)
        return CostLine(item="egress", cost=_cents(line.cost), why=_inside(source), prices=line.prices), ()
    lists = price_lists(bill.basis.prices, source, "internet")
    cost, tiers = egress_cost(moved, lists.values(), bill.months)
    constraints = bill.given.constraints
    regimes = regimes_for(
        bill.basis.regimes, source, constraints.customer, constraints.purpose, constraints.start
    )
    counted_in = next((each for each in regimes if _counts(each, constraints)), None)
    notes = tuple(_note(each, each is counted_in, moved, cost) for each in regimes)
    why = (
        "low: the cheapest price list, all in one billing month, free allowance unused; high: the dearest,"
        f" spread evenly over {counted(bill.months, 'billing month')}, allowance used up by others"
    )
    if counted_in is not None and counted_in.usd_per_gib is not None:
        usd = counted_in.usd_per_gib * moved / 2**30
        cost, tiers = Money(low=usd, high=usd), ()
        why = f"{counted_in.id}: {counted_in.effect}, {counted_in.condition}"
    prices = tuple(dict.fromkeys(row.note for rows in lists.values() for row in rows))
    return CostLine(item="egress", cost=_cents(cost), why=why, prices=prices, tiers=tiers), notes


def egress_cost(
    moved: int, lists: Iterable[list[EgressPrice]], months: int
) -> tuple[Money, tuple[TierLine, ...]]:
    """Return what ``moved`` bytes cost over the internet, and the tiers of the high end.

    :param lists: price lists of one provider, of which somebody uses one.
    :param months: billing months over which the high end is spread; tiers begin anew in each.
    """
    lists = list(lists)
    lows = [tier_sum(moved, rows, free=True) for rows in lists]
    dear = [
        (usd * months, rows)
        for rows in lists
        if (usd := tier_sum(moved / months, rows, free=False)) is not None
    ]
    known = [usd for usd in lows if usd is not None]
    if not dear or not known:
        return Money(), ()
    high, rows = max(dear, key=lambda pair: pair[0])
    shares = tier_shares(moved / months, rows, free=False) or []
    tiers = tuple(
        TierLine(gib=share.gib * months, usd_per_gib=share.usd_per_gib, usd=round(share.usd * months, 2))
        for share in shares
    )
    return Money(low=min(known), high=high), tiers


def _inside(source: str) -> str:
    if source == "kubernetes":
        return "no cloud bills what leaves your own machines; your own line is not known"
    return "within one platform: nothing in one region, its dearest rate between regions"


def _counts(regime: Regime, constraints: Constraints) -> bool:
    return regime.usd_per_gib is not None and (regime.automatic or regime.id in constraints.claims)


def _note(regime: Regime, counted_in: bool, moved: int, cost: Money) -> RegimeNote:
    saves = None
    if regime.usd_per_gib is not None and cost.high is not None:
        saves = round(max(0.0, cost.high - regime.usd_per_gib * moved / 2**30), 2)
    return RegimeNote(
        id=regime.id,
        counted=counted_in,
        effect=regime.effect,
        condition=regime.condition,
        saves_usd=saves,
        price=regime.note,
    )


def _requests(
    bill: Bill, components: Sequence[Component], choices: Sequence[Choice], capabilities: Sequence[str]
) -> tuple[CostLine, list[str]]:
    objects = size_bytes = large = parts = 0
    for component, choice, capability in zip(components, choices, capabilities, strict=True):
        if capability not in _OBJECTS or choice.route == "none":
            continue
        number = max(component.objects, 1)
        objects += number
        size_bytes += component.size_bytes
        parts += component.size_bytes // _PART_BYTES
        large += number if component.size_bytes // number >= _PART_BYTES else 0
    workload = Workload(
        source=bill.given.source,
        target=bill.target.platform,
        listed_source=objects,
        listed_target=0,
        to_move=Tally(objects=objects, size_bytes=size_bytes),
        large=large,
        parts=parts if objects else 0,
    )
    lines = priced_requests(workload, bill.basis.prices) if objects else ()
    cost = sum((line.cost for line in lines), Money(low=0.0, high=0.0))
    why = f"{counted(objects, 'object')}: listed, read, written and verified once; retries are not in it"
    prices = tuple(dict.fromkeys(line.price for line in lines if line.price.source))
    return CostLine(item="requests", cost=_cents(cost), why=why, prices=prices), unpriced_requests(
        workload, lines
    )


def _double_running(bill: Bill, components: Sequence[Component]) -> CostLine:
    daily = sum(component.monthly_usd for component in components) / MONTH_DAYS
    keep = bill.given.constraints.keep_days
    low = daily * ((bill.duration.p50 or 0.0) / 2 + keep)
    high = daily * ((bill.duration.p90 or 0.0) + keep)
    return CostLine(
        item="double running",
        cost=_cents(Money(low=low, high=high)),
        why=f"what the source costs a month, for the days that both sides run and {keep:g} days after;"
        " low: half of it while waves move one by one, high: all of it to the end",
    )


def _line(bill: Bill) -> CostLine:
    rented = max(0.0, (bill.duration.p90 or 0.0) - bill.carrier.setup_days)
    months = max(1, math.ceil(rented / MONTH_DAYS))
    usd = bill.carrier.usd_per_month
    return CostLine(
        item="line",
        cost=_cents(Money(low=usd, high=usd * months)),
        why=f"{usd:,.2f} USD a month, for up to {counted(months, 'month')}",
    )


def _devices(bill: Bill, components: Sequence[Component], choices: Sequence[Choice]) -> CostLine:
    rounds = sum(
        bill.carrier.rounds(component)
        for component, choice in zip(components, choices, strict=True)
        if choice.route == "appliance"
    )
    fee = bill.carrier.devices.usd_per_round if bill.carrier.devices else None
    cost = Money(low=0.0, high=0.0) if not rounds else Money()
    if rounds and fee is not None:
        cost = Money(low=fee * rounds, high=fee * rounds)
    model = bill.carrier.model
    note = PriceNote(as_of=model.date, source=model.source, verified=model.verified) if model else PriceNote()
    return CostLine(item="devices", cost=_cents(cost), why=counted(rounds, "trip"), prices=(note,))


def _cents(cost: Money) -> Money:
    low = None if cost.low is None else round(cost.low, 2)
    return Money(low=low, high=None if cost.high is None else round(cost.high, 2))
