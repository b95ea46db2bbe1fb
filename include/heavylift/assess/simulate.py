"""How long a move takes, as a band: many moves are simulated, each with its own luck.

The luck of one simulated move is drawn before anything is known of the data, so a larger volume or a
slower line is judged by the same luck, and can never come out faster.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from heavylift.assess.carrying import Carrier, changes_per_second
from heavylift.assess.strategy import Choice
from heavylift.evidence.assess_input import Component
from heavylift.evidence.assess_records import Duration
from heavylift.facts.rates import DAY

SAMPLES = 300
SEED = 20261128

_MOST_EXACT = 5_000

_SHARE = (0.60, 0.85, 0.75)
_MEASURED = (0.60, 0.80, 0.75)
_CHANGES = (0.70, 1.60, 1.00)
_AGAIN_ODDS, _AGAIN = 0.25, (0.05, 0.50)

ASSUMPTIONS = (
    "of a line's nominal rate 60 to 85 %, most likely 75 %, can be used (strategy_rules.csv: 70-80 %);"
    " of a measured rate 80 to 107 %",
    "changes come at 70 to 160 % of the given rate",
    "one move in four repeats 5 to 50 % of its work",
    "all data goes over one line, one component after another",
)


@dataclass(frozen=True)
class Luck:
    """What one simulated move meets."""

    share: float
    measured: float
    changes: float
    again: float
    turnaround: float


@dataclass(frozen=True)
class _Bin:
    """Components that are alike: all their bytes, changes of each in a second, seconds for each byte's
    requests.
    """

    size_bytes: float
    changes: float
    seconds_per_byte: float


@cache
def draw_luck(samples: int = SAMPLES, seed: int = SEED) -> tuple[Luck, ...]:
    """Return the luck of each simulated move; the same for the same seed."""
    random = Random(seed)  # noqa: S311 - a simulation, nobody's secret
    return tuple(
        Luck(
            share=random.triangular(*_SHARE),
            measured=random.triangular(*_MEASURED),
            changes=random.triangular(*_CHANGES),
            again=random.uniform(*_AGAIN) if random.random() < _AGAIN_ODDS else 0.0,
            turnaround=random.random(),
        )
        for _ in range(samples)
    )


def simulate(
    components: Sequence[Component],
    choices: Sequence[Choice],
    carrier: Carrier,
    deadline_days: float | None,
    luck: Sequence[Luck],
    seed: int = SEED,
) -> Duration:
    """Return the band of days until all that has a way has moved."""
    bins = list(_bins(components, choices, carrier))
    shipped = [
        component
        for component, choice in zip(components, choices, strict=True)
        if choice.route == "appliance"
    ]
    days = sorted(_one(bins, shipped, carrier, each) / DAY + carrier.setup_days for each in luck)
    count = len(days)
    late = None
    if deadline_days is not None:
        late = sum(1 for each in days if each > deadline_days) / count
    return Duration(
        p10=_at(days, 0.10),
        p50=_at(days, 0.50),
        p90=_at(days, 0.90),
        samples=count,
        seed=seed,
        never=sum(1 for each in days if math.isinf(each)) / count,
        late=late,
        assumptions=ASSUMPTIONS,
    )


def _one(bins: Iterable[_Bin], shipped: Iterable[Component], carrier: Carrier, luck: Luck) -> float:
    rate = carrier.rate(luck.measured if carrier.measured else luck.share)
    online = sum(_seconds(each, rate, luck.changes) for each in bins)
    trips = behind = 0.0
    for component in shipped:
        trip = carrier.device_seconds(component, _turnaround(carrier, luck))
        changes = changes_per_second(component) * luck.changes
        trips += trip
        if changes:
            behind += changes * trip / (rate - changes) if rate > changes else math.inf
    # Devices travel while the line is busy; what changed meanwhile comes after both.
    return (max(online, trips) + behind) * (1 + luck.again)


def _seconds(each: _Bin, rate: float, factor: float) -> float:
    left = rate - each.changes * factor
    if left <= 0:
        return math.inf
    return each.size_bytes * max(1 / left, each.seconds_per_byte)


def _turnaround(carrier: Carrier, luck: Luck) -> float:
    """Return the days of a trip, by inverting the triangular distribution: more luck, more days."""
    low, likely, high = carrier.devices.turnaround_days if carrier.devices else (0.0, 0.0, 0.0)
    if high <= low:
        return likely
    middle = (likely - low) / (high - low)
    if luck.turnaround < middle:
        return low + math.sqrt(luck.turnaround * (high - low) * (likely - low))
    return high - math.sqrt((1 - luck.turnaround) * (high - low) * (high - likely))


def _bins(components: Sequence[Component], choices: Sequence[Choice], carrier: Carrier) -> Iterable[_Bin]:
    sums: dict[tuple[float, float], float] = defaultdict(float)
    # Few components are reckoned one by one; of many, those that differ by less than 1 % are one.
    never_slower = 1 / carrier.rate(max(*_SHARE, *_MEASURED))
    rounded = _up if len(components) > _MOST_EXACT else float
    for component, choice in zip(components, choices, strict=True):
        if choice.route != "online" or choice.way.strategy == "none":
            continue
        changes = changes_per_second(component) if choice.syncs else 0.0
        per_byte = component.objects / carrier.objects_per_second / component.size_bytes
        if per_byte <= never_slower:
            per_byte = 0.0  # the line is always the slower: it need not be told apart
        sums[rounded(changes), rounded(per_byte)] += component.size_bytes
    return (_Bin(volume, changes, per_byte) for (changes, per_byte), volume in sorted(sums.items()))


def _up(value: float) -> float:
    """Round up to three digits: alike enough, and never too quick."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return math.ceil(value / unit - 1e-9) * unit


def _at(days: Sequence[float], share: float) -> float | None:
    value = days[min(len(days) - 1, math.ceil(share * len(days)) - 1)]
    return None if math.isinf(value) else round(value, 3)
