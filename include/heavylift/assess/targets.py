"""Which target: weighted drivers over hard constraints, and what would change the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.assess.advice import Fate, fates_of
from heavylift.assess.basis import Basis
from heavylift.assess.residency import broken_residency
from heavylift.evidence.assess_input import Driver, PlanInput, Target
from heavylift.evidence.assess_records import TargetChoice, TargetScore

DRIVERS: tuple[Driver, ...] = ("cost", "performance", "compliance", "hardware", "effort")
_HOURS = 730.0
_MOST = 4.0
"""How many times as heavy a driver is tried; beyond it, it is the only one that counts."""

Scores = dict[Driver, float | None]


@dataclass(frozen=True)
class _Judged:
    target: Target
    scores: Scores
    reasons: dict[Driver, str]
    excluded: str
    monthly: float | None


def choose_target(given: PlanInput, basis: Basis) -> tuple[Target, TargetChoice]:
    """Return the target to plan for. One that breaks a hard constraint is taken only where all do."""
    weights = {driver: given.constraints.weights.get(driver, 0.0) for driver in DRIVERS}
    if not any(weights.values()):
        weights = dict.fromkeys(DRIVERS, 1.0)
    judged = _with_cost([_judge(given, target, basis) for target in given.targets])
    order = sorted(
        judged, key=lambda each: (bool(each.excluded), -_total(each.scores, weights), each.target.name)
    )
    best = order[0]
    return best.target, TargetChoice(
        chosen=best.target.name,
        reason=_reason(best, order, weights),
        weights=weights,
        scores=tuple(_score(each, weights) for each in order),
        sensitivity=tuple(_sensitivity(best, order[1:], weights)),
    )


def _judge(given: PlanInput, target: Target, basis: Basis) -> _Judged:
    judged = fates_of(given.components, given.source, target.platform, basis)
    # What is alike is one object: counted by identity, which costs nothing.
    counts = Counter(map(id, judged))
    fates = {fate: counts[id(fate)] for fate in {id(each): each for each in judged}.values()}
    barred = sum(1 for each in given.components if broken_residency(each, given.constraints, target, basis))
    hardware = [(fate, count) for fate, count in fates.items() if fate.accelerator]
    total = len(given.components)
    lacking = sorted(set(given.constraints.certifications) - set(target.certifications))
    excluded = f"{barred} components may not lie in {target.region}" if barred else ""
    if lacking:
        excluded = "; ".join(filter(None, (excluded, f"not certified for {', '.join(lacking)}")))
    effort = sum(_effort(fate) * count for fate, count in fates.items()) / total
    scores: Scores = {
        "cost": None,
        "performance": _share(hardware, {"equivalent": 1.0, "partial": 0.7}),
        "compliance": 1.0 - barred / total if not lacking else 0.0,
        "hardware": _share(hardware, {"equivalent": 1.0, "partial": 1.0}),
        "effort": round(1.0 - (effort - 1.0) / 4.0, 6),
    }
    mapped = sum(n for fate, n in hardware if fate.accelerator and fate.accelerator.level != "none")
    needing = sum(n for _, n in hardware)
    reasons: dict[Driver, str] = {
        "cost": "",
        "performance": "the same accelerator counts 1, another that is large enough 0.7",
        "compliance": excluded or "nothing forbids it",
        "hardware": f"{mapped} of {needing} accelerators have a place" if needing else "needs none",
        "effort": f"{effort:.1f} on average, of 1 (a setting) to 5 (a project)",
    }
    return _Judged(target, scores, reasons, excluded, _monthly(target, given, hardware))


def _effort(fate: Fate) -> float:
    return float(fate.service.effort) if fate.service else 5.0


def _share(hardware: Sequence[tuple[Fate, int]], worth: dict[str, float]) -> float:
    total = sum(count for _, count in hardware)
    if not total:
        return 1.0
    got = sum(worth.get(fate.accelerator.level, 0.0) * n for fate, n in hardware if fate.accelerator)
    return round(got / total, 6)


def _monthly(target: Target, given: PlanInput, hardware: Sequence[tuple[Fate, int]]) -> float | None:
    """Return what the target costs a month: as told, else its accelerators where all have a price."""
    if target.monthly_usd is not None or not hardware:
        return target.monthly_usd
    prices = [
        (
            fate.accelerator.instance.usd_per_hour
            if fate.accelerator and fate.accelerator.instance
            else None,
            n,
        )
        for fate, n in hardware
    ]
    if any(price is None for price, _ in prices):
        return None
    return sum((price or 0.0) * n * _HOURS for price, n in prices)


def _with_cost(judged: list[_Judged]) -> list[_Judged]:
    known = [each.monthly for each in judged if each.monthly is not None]
    cheapest = min(known, default=0.0)
    done = []
    for each in judged:
        score, reason = None, "not known: it counts half"
        if each.monthly is not None:
            score = cheapest / each.monthly if each.monthly else 1.0
            basis = "accelerators on demand" if each.target.monthly_usd is None else "as told"
            reason = f"{each.monthly:,.0f} USD a month ({basis})"
        done.append(
            _Judged(
                each.target,
                each.scores | {"cost": score},
                each.reasons | {"cost": reason},
                each.excluded,
                each.monthly,
            )
        )
    return done


def _total(scores: Scores, weights: dict[Driver, float]) -> float:
    whole = sum(weights.values())
    return (
        sum(weights[d] * (0.5 if (s := scores[d]) is None else s) for d in DRIVERS) / whole if whole else 0.0
    )


def _score(each: _Judged, weights: dict[Driver, float]) -> TargetScore:
    return TargetScore(
        target=each.target.name,
        total=round(_total(each.scores, weights), 6),
        scores=each.scores,
        reasons=each.reasons,
        excluded=each.excluded,
    )


def _reason(best: _Judged, order: Sequence[_Judged], weights: dict[Driver, float]) -> str:
    if best.excluded:
        return f"every target breaks a hard constraint; this one has the best score: {best.excluded}"
    rivals = [each for each in order[1:] if not each.excluded]
    total = _total(best.scores, weights)
    if not rivals:
        return "the only target" if len(order) == 1 else "the only one that breaks no hard constraint"
    return f"{total:.3f} of 1, the next ({rivals[0].target.name}) {_total(rivals[0].scores, weights):.3f}"


def _sensitivity(best: _Judged, others: Sequence[_Judged], weights: dict[Driver, float]) -> list[str]:
    """Return what would make another target the first, the nearest change of each kind first."""
    found = []
    rivals = [each for each in others if bool(each.excluded) == bool(best.excluded)]
    for driver in DRIVERS:
        crossings = [
            (at, each) for each in rivals if (at := _crossing(best, each, weights, driver)) is not None
        ]
        if crossings:
            at, rival = min(crossings, key=lambda pair: (abs(pair[0] - weights[driver]), pair[1].target.name))
            way = "above" if at > weights[driver] else "below"
            found.append(
                f"changes to {rival.target.name} if the weight of {driver} goes {way} {at:.3g}"
                f" (now {weights[driver]:g})"
            )
    found += [text for rival in rivals if (text := _cheaper(best, rival, weights))]
    found += [
        f"{each.target.name} comes into question if: {each.excluded}" for each in others if each.excluded
    ]
    return found or ["no weight of one driver alone changes it"]


def _crossing(best: _Judged, rival: _Judged, weights: dict[Driver, float], driver: Driver) -> float | None:
    """Return the weight of ``driver`` at which both are equal; None where there is none in reach.

    Totals times the sum of the weights are linear in one weight.
    """

    def gap(scores: Driver) -> float:
        one, other = best.scores[scores], rival.scores[scores]
        return (0.5 if one is None else one) - (0.5 if other is None else other)

    slope = gap(driver)
    rest = sum(weights[each] * gap(each) for each in DRIVERS if each != driver)
    if abs(slope) < 1e-12:
        return None
    at = -rest / slope
    most = _MOST * max(sum(weights.values()), 1.0)
    return at if 0 <= at <= most and abs(at - weights[driver]) > 1e-9 else None


def _cheaper(best: _Judged, rival: _Judged, weights: dict[Driver, float]) -> str:
    """Return by how much a rival's price must fall to win; empty where no price does it."""
    if rival.monthly is None or best.monthly is None or not rival.monthly:
        return ""
    low, high = 0.0, 1.0
    if not _wins(best, rival, weights, low + 1e-6):
        return ""
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _wins(best, rival, weights, max(middle, 1e-6)) else (low, middle)
    return f"changes to {rival.target.name} if its price falls by {1 - low:.0%}" if low < 0.9999 else ""


def _wins(best: _Judged, rival: _Judged, weights: dict[Driver, float], factor: float) -> bool:
    price, own = (rival.monthly or 0.0) * factor, best.monthly or 0.0
    cheapest = min(price, own)
    mine: Scores = best.scores | {"cost": cheapest / own if own else 1.0}
    theirs: Scores = rival.scores | {"cost": cheapest / price if price else 1.0}
    return _total(theirs, weights) > _total(mine, weights)
