"""Every decision of a plan in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from heavylift.evidence.assess_records import ComponentPlan, Plan, Wave
from heavylift.evidence.pricing_words import money, origin
from heavylift.evidence.wording import counted, enumeration, size

_MOST_CYCLE = 8


def explain(plan: Plan, digest: str, most_components: int | None = None) -> Iterator[str]:
    """Yield the plan line by line: what was decided, why, and what was not chosen.

    :param most_components: stop telling of single components after so many; None for all.
    """
    yield from _head(plan, digest)
    yield from _target(plan)
    yield from _carrying(plan)
    yield from _costs(plan)
    yield from _findings(plan)
    yield from _risks(plan)
    yield from _waves(plan, most_components)
    yield "Assumptions"
    yield from (f"  {text}" for text in plan.assumptions)


def summary(plan: Plan, digest: str) -> list[str]:
    """Return the plan in a few lines."""
    severities = Counter(finding.severity for finding in plan.findings)
    found = ", ".join(counted(severities[word], word) for word in ("blocker", "warning", "note"))
    return [
        f"{plan.migration}: {plan.source} -> {plan.target.name}, {counted(len(plan.components), 'component')}"
        f" in {counted(len(plan.waves), 'wave')}",
        f"  time       {band(plan)}",
        f"  cost       {money(plan.costs.total)}" + _unknown(plan),
        f"  findings   {found}",
        f"  digest     {digest}",
        *(f"  not met    {text}" for text in plan.unmet),
    ]


def band(plan: Plan) -> str:
    """Return how long the move takes, in words."""
    each = plan.duration
    if each.p90 is None:
        return f"never ends in {each.never:.0%} of {each.samples} simulated moves"
    text = f"{each.p10:,.1f} to {each.p90:,.1f} days, most likely about {each.p50:,.1f}"
    return text if each.late is None else f"{text}; late in {each.late:.0%} of {each.samples} simulated moves"


def _unknown(plan: Plan) -> str:
    return f", and what has no known price: {', '.join(plan.costs.unknown)}" if plan.costs.unknown else ""


def _head(plan: Plan, digest: str) -> Iterator[str]:
    yield from summary(plan, digest)
    yield f"  made from  input {plan.input_sha256[:12]}…, tables {plan.tables_sha256[:12]}…, for {plan.start}"


def _target(plan: Plan) -> Iterator[str]:
    choice = plan.choice
    yield f"Target: {choice.chosen}, because {choice.reason}"
    for each in choice.scores:
        scores = ", ".join(
            f"{driver} {'unknown' if score is None else f'{score:.2f}'} x {choice.weights[driver]:g}"
            for driver, score in each.scores.items()
        )
        yield f"  {each.target}: {each.total:.3f} ({scores})" + (
            f"; excluded: {each.excluded}" if each.excluded else ""
        )
        yield from (f"    {driver}: {text}" for driver, text in each.reasons.items() if text)
    yield from (f"  {text}" for text in choice.sensitivity)


def _carrying(plan: Plan) -> Iterator[str]:
    yield f"Carrying: {band(plan)}"
    for each in plan.scenarios:
        yield f"  {'taken' if each.taken else 'not taken'}: {each.name}: {each.reason}"


def _costs(plan: Plan) -> Iterator[str]:
    yield f"Cost: {money(plan.costs.total)}{_unknown(plan)}"
    for line in plan.costs.lines:
        yield f"  {line.item}: {money(line.cost)}; {line.why}"
        yield from (
            f"    {tier.gib:,.0f} GiB at {tier.usd_per_gib:g} USD: {tier.usd:,.2f} USD" for tier in line.tiers
        )
        yield from (f"    price {origin(price)}" for price in line.prices[:1])
    for regime in plan.costs.regimes:
        saves = "" if regime.saves_usd is None else f", up to {regime.saves_usd:,.2f} USD"
        state = "counted" if regime.counted else f"not counted{saves}"
        yield f"  regime {regime.id} ({regime.effect}): {state}; {regime.condition}; {origin(regime.price)}"


def _findings(plan: Plan) -> Iterator[str]:
    yield f"Findings: {len(plan.findings):,}"
    rules = Counter((finding.severity, finding.rule) for finding in plan.findings)
    for (severity, rule), count in sorted(rules.items()):
        first = next(each for each in plan.findings if each.rule == rule)
        yield f"  {severity} {rule} x {count}: {first.component}: {first.evidence}. To fix: {first.remedy}"


def _risks(plan: Plan) -> Iterator[str]:
    yield f"Risks: {len(plan.risks)}"
    for risk in plan.risks:
        yield (
            f"  {risk.id} {risk.title}: {risk.probability:.0%}, impact {risk.impact} ({risk.basis})."
            f" Watch {risk.metric}; act when {risk.threshold}: {risk.runbook}"
        )


def _waves(plan: Plan, most: int | None) -> Iterator[str]:
    yield f"Waves: {len(plan.waves):,}"
    waves = {wave.number: wave for wave in plan.waves}
    last = 0
    for told, component in enumerate(plan.components):
        if component.wave != last:
            last = component.wave
            yield from _wave(waves[last])
        if most is not None and told >= most:
            yield f"  … and {counted(len(plan.components) - most, 'component')} more"
            return
        yield from _component(component)


def _wave(wave: Wave) -> Iterator[str]:
    yield (
        f"Wave {wave.number}: {counted(wave.components, 'component')}, {size(wave.size_bytes)},"
        f" days {wave.start_days:,.1f} to {wave.end_days:,.1f}, {wave.downtime_seconds:,.0f} s of downtime;"
        f" it ends here because {wave.cut}"
    )
    for cycle in wave.cycles:
        yield f"  a cycle, switched in one go: {enumeration(cycle, shown=_MOST_CYCLE)}"


def _component(each: ComponentPlan) -> Iterator[str]:
    yield f"  {each.id}: {each.treatment}; {each.advice}"
    yield f"    {each.strategy} ({each.route}): {each.reason}; {each.rto_note}"
    if each.accelerator_reason:
        yield f"    accelerator {each.accelerator or 'none'}: {each.accelerator_reason}"
    yield from (f"    not {other.way}: {other.reason}" for other in each.rejected)
