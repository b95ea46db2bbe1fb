"""What can go wrong: each risk with its odds, the number to watch, and what to do then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from heavylift.assess.carrying import Carrier, changes_per_second
from heavylift.assess.strategy import RETENTION_FACTOR, Choice
from heavylift.assess.waves import SYNC_SHARE, Slice
from heavylift.evidence.assess_input import PlanInput
from heavylift.evidence.assess_records import Costs, Duration, Finding, Risk
from heavylift.evidence.wording import counted, size

LOW, MEDIUM, HIGH = 0.1, 0.3, 0.6
_RUNBOOK = "docs/runbooks/plan.md"
Impact = Literal["low", "medium", "high"]


@dataclass(frozen=True)
class Ground:
    """What risks are read from."""

    given: PlanInput
    carrier: Carrier
    choices: Sequence[Choice]
    waves: Sequence[Slice]
    duration: Duration
    costs: Costs
    findings: Sequence[Finding]


def risks_of(ground: Ground) -> tuple[Risk, ...]:
    """Return the risks of a plan, the gravest first."""
    found = [*_of_time(ground), *_of_data(ground), *_of_money(ground), *_of_findings(ground)]
    weight = {"low": 1, "medium": 2, "high": 3}
    return tuple(sorted(found, key=lambda risk: (-risk.probability * weight[risk.impact], risk.id)))


def _risk(
    id_: str,
    title: str,
    probability: float,
    impact: Impact,
    basis: str,
    metric: str,
    threshold: str,
    anchor: str,
    components: int = 0,
) -> Risk:
    return Risk(
        id=id_,
        title=title,
        probability=round(probability, 4),
        impact=impact,
        basis=basis,
        metric=metric,
        threshold=threshold,
        runbook=f"{_RUNBOOK}#{anchor}",
        components=components,
    )


def _of_time(ground: Ground) -> list[Risk]:
    rate = ground.carrier.bytes_per_second
    found = [
        _risk(
            "R-SLOW", "The line carries less than planned", MEDIUM, "medium",
            "planned as measured" if ground.carrier.measured else "planned with 75 % of the nominal rate",
            "bytes moved in a second, over an hour",
            f"below {size(rate * 0.8)} a second (80 % of what is planned)",
            "the-line-is-slower-than-planned",
        )
    ]  # fmt: skip
    if ground.duration.late:
        found.append(
            _risk(
                "R-LATE", "The deadline is missed", ground.duration.late, "high",
                f"{ground.duration.late:.0%} of {ground.duration.samples} simulated moves are late",
                "days left of the deadline against days left of the plan",
                "the plan needs more than is left",
                "the-plan-runs-late",
            )
        )  # fmt: skip
    if ground.duration.never:
        found.append(
            _risk(
                "R-NEVER", "Catching up with changes never ends", ground.duration.never, "high",
                f"in {ground.duration.never:.0%} of the simulated moves changes come faster than they go",
                "lag after each pass",
                "two passes in a row leave more than the one before",
                "catching-up-does-not-end",
            )
        )  # fmt: skip
    return found


def _of_data(ground: Ground) -> list[Risk]:
    pairs = list(zip(ground.given.components, ground.choices, strict=True))
    synced = [component for component, choice in pairs if choice.syncs]
    logged = [component for component, choice in pairs if choice.way.strategy == "cdc"]
    found = []
    if synced:
        busiest = max(synced, key=changes_per_second)
        share = changes_per_second(busiest) / ground.carrier.bytes_per_second
        found.append(
            _risk(
                "R-LAG", "Changes come faster than expected", HIGH if share > SYNC_SHARE else LOW, "medium",
                f"{busiest.id} alone takes {share:.1%} of the line",
                "replication lag in seconds and its trend over an hour",
                "it grows for an hour",
                "catching-up-does-not-end",
                len(synced),
            )
        )  # fmt: skip
    if logged:
        known = sum(1 for component in logged if component.log_retention_seconds is not None)
        found.append(
            _risk(
                "R-LOG", "The source drops its log, or its disk fills with it",
                LOW if known == len(logged) else MEDIUM, "high",
                f"retention is known for {known} of {len(logged)}",
                "bytes of log that the source keeps for the move",
                f"age of the oldest kept entry above 1/{RETENTION_FACTOR:g} of the retention",
                "the-source-keeps-too-much-log",
                len(logged),
            )
        )  # fmt: skip
    if any(choice.route == "appliance" for _, choice in pairs):
        shipped = sum(1 for _, choice in pairs if choice.route == "appliance")
        found.append(
            _risk(
                "R-SHIP", "A device is late, damaged or lost", MEDIUM, "high",
                "turnaround times are secondary sources", "days since it was handed over",
                "above the longest turnaround in the plan", "a-device-is-late", shipped,
            )
        )  # fmt: skip
    return found + _of_switching(ground)


def _of_switching(ground: Ground) -> list[Risk]:
    limit = ground.given.constraints.downtime_seconds
    fullest = max((wave.load[2] for wave in ground.waves), default=0.0)
    cycles = [group for wave in ground.waves for group in wave.groups if len(group) > 1]
    found = [
        _risk(
            "R-DOWN", "A switch takes longer than allowed", MEDIUM if fullest > 0.8 * limit else LOW, "high",
            f"the fullest wave needs {fullest:,.0f} s of {limit:,.0f} s",
            "seconds since the freeze", f"above 80 % of {limit:,.0f} s", "a-switch-takes-too-long",
        )
    ]  # fmt: skip
    if cycles:
        largest = max(cycles, key=len)
        found.append(
            _risk(
                "R-CYCLE", "A cycle is switched in one go", LOW if len(largest) < 5 else MEDIUM, "medium",
                f"{counted(len(cycles), 'cycle')}, the largest of {len(largest)}",
                "components of the cycle that answer from the target", "fewer than all of them at the end",
                "a-switch-takes-too-long", sum(len(group) for group in cycles),
            )
        )  # fmt: skip
    return found


def _of_money(ground: Ground) -> list[Risk]:
    total = ground.costs.total
    if ground.costs.unknown:
        odds, basis = MEDIUM, f"no known price: {', '.join(ground.costs.unknown)}"
    else:
        odds, basis = LOW, "every price is known, at list"
    high = "unknown" if total.high is None else f"{total.high:,.2f} USD"
    return [
        _risk(
            "R-COST", "The move costs more than planned", odds, "medium", basis,
            "what the source's provider has billed for the move so far, by day",
            f"on its way above {high}", "the-bill-grows",
        )
    ]  # fmt: skip


_OF_RULES: tuple[tuple[str, str, tuple[str, ...], float, Impact, str, str, str], ...] = (
    ("R-QUOTA", "A quota is not raised in time", ("AS-120", "AS-121"), MEDIUM, "high",
     "quota granted at the target", "below what the next wave needs, a week before it", "a-quota-is-missing"),
    ("R-GPU", "Accelerators are not to be had, or slower", ("AS-112", "AS-113", "AS-114", "AS-115"), MEDIUM,
     "high", "instances started of those asked for; time of a training step", "any refused; 20 % slower",
     "accelerators-are-scarce"),
    ("R-LAW", "Data lies where it may not", ("AS-130", "AS-201"), HIGH, "high",
     "region of every container at the target", "any outside what is allowed", "data-may-not-lie-there"),
    ("R-BACK", "Going back loses data", ("AS-251",), MEDIUM, "high",
     "seconds since reverse sync was caught up", "above the RPO", "going-back-loses-data"),
    ("R-SINGLE", "One failure stops many", ("AS-230",), LOW, "high",
     "replicas that are ready", "fewer than two", "a-single-point-fails"),
    ("R-GAP", "Something that nobody listed is missed", ("AS-302",), MEDIUM, "high",
     "errors of name or connection at the target", "any after the switch", "something-was-not-listed"),
    ("R-CODE", "Code or artifacts do not run at the target",
     ("AS-104", "AS-110", "AS-111", "AS-220", "AS-221"),
     MEDIUM, "medium", "failed starts and revalidations", "any in a rehearsal", "it-does-not-run-there"),
)  # fmt: skip


def _of_findings(ground: Ground) -> list[Risk]:
    seen = Counter(finding.rule for finding in ground.findings)
    found = []
    for id_, title, rules, odds, impact, metric, threshold, anchor in _OF_RULES:
        count = sum(seen[rule] for rule in rules)
        if count:
            basis = ", ".join(f"{rule}: {seen[rule]}" for rule in rules if seen[rule])
            found.append(_risk(id_, title, odds, impact, basis, metric, threshold, anchor, count))
    return found
