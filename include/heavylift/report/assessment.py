"""What an assessment found, as text and pictures for report and status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from markupsafe import Markup

from heavylift.evidence.assess_evidence import AssessEvidence
from heavylift.evidence.assessment_records import AssessmentRecord
from heavylift.evidence.baseline_records import EndpointBaseline
from heavylift.evidence.pricing_words import money
from heavylift.evidence.quota_records import QuotaRecord
from heavylift.evidence.utilisation_records import ComponentUse, UtilisationRecord
from heavylift.evidence.wording import counted, days_in_words, duration, enumeration, size, use_in_words
from heavylift.gates.summary import assess_reasons
from heavylift.report.dependencies import alone_in, draw_dependencies
from heavylift.report.mermaid import draw_graph
from heavylift.report.model_plots import draw_rates
from heavylift.report.plan_pictures import draw_costs, draw_waves
from heavylift.report.story import RunStory
from heavylift.report.use_pictures import draw_use

_NAMED = 5
_MOST_USED = 24
"""Components whose use a report shows."""


@dataclass(frozen=True)
class AssessView:
    """One run's assessment.

    :param reasons: why it does not count as made.
    """

    evidence: AssessEvidence
    reasons: tuple[str, ...]

    @property
    def record(self) -> AssessmentRecord | None:
        """The assessment; None while there is none."""
        return self.evidence.assessment.record if self.evidence.assessment else None

    @property
    def graph(self) -> Markup:
        """The dependency graph; empty where nothing depends on anything."""
        return draw_dependencies(self.record.picture) if self.record else Markup()

    @property
    def alone(self) -> int:
        """Components of the picture that are not drawn, for they have no dependency."""
        return alone_in(self.record.picture) if self.record else 0

    @property
    def mermaid(self) -> str:
        """The graph as Mermaid text."""
        return draw_graph(self.record.picture) if self.record else ""

    @property
    def waves(self) -> Markup:
        """The waves over the days of the move; empty where nothing takes time."""
        return draw_waves(self.record.start, self.record.waves) if self.record else Markup()

    @property
    def endpoints(self) -> list[tuple[EndpointBaseline, Markup]]:
        """The measured endpoints, each with its latency over the rates."""
        return [(kept.record, draw_rates(kept.record)) for kept in self.evidence.baselines]

    @property
    def utilisation(self) -> list[tuple[UtilisationRecord, Markup, tuple[ComponentUse, ...]]]:
        """What machines use, by connection: the record, its picture, and those that are shown."""
        found = [(kept.record, busiest(kept.record)) for kept in self.evidence.utilisation]
        return [(record, draw_use(shown, record), shown) for record, shown in found]

    @property
    def quotas(self) -> list[QuotaRecord]:
        """The quotas that were read, by platform and region."""
        return [kept.record for kept in self.evidence.quotas]

    def span(self, seconds: int) -> str:
        """Return a span of time in words."""
        return duration(timedelta(seconds=seconds))

    def used(self, value: float | None, unit: str) -> str:
        """Return a use in words."""
        return use_in_words(value, unit)

    @property
    def costs(self) -> Markup:
        """The parts of the bill; empty where nothing costs anything."""
        return draw_costs(self.record.costs) if self.record else Markup()

    @property
    def total(self) -> str:
        """The bill in words."""
        return money(self.record.costs.total) if self.record else ""

    def usd(self, cost: Any) -> str:
        """Return a range of money in words."""
        return money(cost)

    @property
    def line(self) -> str:
        """One line for ``heavylift status``."""
        inventory, record = self.evidence.inventory, self.record
        if record is None:
            found = counted(inventory.record.component_count, "component") if inventory else "nothing"
            return f"{found} listed; there is no plan"
        days = record.duration.p90
        end = "never ends" if days is None else f"{days_in_words(days)} nine times in ten"
        named = counted(record.unexplained, "unexplained reference")
        return (
            f"{counted(record.components, 'component')}, {counted(record.wave_count, 'wave')}, {end},"
            f" {self.total}; {counted(record.open_blockers, 'open blocker')},"
            f" {named}, {counted(record.open_gaps, 'open gap')};"
            f" plan {record.plan_digest[:12]}…"
        )

    @property
    def document(self) -> dict[str, Any]:
        """The assessment as ``heavylift status --json`` gives it."""
        record = self.record
        if record is None:
            return {"plan_digest": "", "reasons": list(self.reasons)}
        return {
            "plan_digest": record.plan_digest,
            "target": record.target,
            "components": record.components,
            "waves": record.wave_count,
            "blockers": record.blockers,
            "open_blockers": record.open_blockers,
            "unknown_sizes": record.unknown_sizes,
            "unexplained": record.unexplained,
            "open_gaps": record.open_gaps,
            "days_p50": record.duration.p50,
            "days_p90": record.duration.p90,
            "usd_low": record.costs.total.low,
            "usd_high": record.costs.total.high,
            "unmet": list(record.unmet),
            "reasons": list(self.reasons),
        }


def busiest(record: UtilisationRecord) -> tuple[ComponentUse, ...]:
    """Return the components that a report shows: those with accelerators first, then the busiest."""

    def rank(each: ComponentUse) -> tuple[bool, float, str]:
        accelerated = any(one.use == "gpu" for one in each.series)
        busy = max((one.p95 for one in each.series if one.unit == "share"), default=0.0)
        return not accelerated, -busy, each.component

    return tuple(sorted(record.components, key=rank)[:_MOST_USED])


def assess_view(story: RunStory) -> AssessView | None:
    """Return the view of a run's assessment; None where the run is of another phase."""
    if story.assess is None:
        return None
    return AssessView(story.assess, tuple(assess_reasons(story.assess)))


def assess_so_far(evidence: AssessEvidence) -> str:
    """Return what has been done, for the headline of a run that is not proved."""
    done = [
        what
        for what, kept in (
            ("the inventory", evidence.inventory),
            ("the graph", evidence.graph),
            ("the plan", evidence.assessment),
        )
        if kept
    ]
    return (
        f"{enumeration(done)} {'is' if len(done) == 1 else 'are'} there" if done else "nothing is there yet"
    )


def assess_proof(evidence: AssessEvidence | None) -> str:
    """Return the sentence that says what was found; empty where the run is of another phase."""
    if evidence is None or evidence.assessment is None:
        return ""
    record = evidence.assessment.record
    parts = counted(record.components, "component")
    needs = counted(record.dependencies, "dependency", "dependencies")
    beside = f" with {counted(len(record.also), 'connection')} beside it" if record.also else ""
    return (
        f"{parts} of account {record.account}{beside} and {needs} between them,"
        f" {size(record.size_bytes)} of known size, move to {record.target} in"
        f" {counted(record.wave_count, 'wave')}. The plan's digest is {record.plan_digest}."
    )


def assess_advice(view: AssessView | None, dag: str) -> Iterable[tuple[str, str]]:
    """Yield what stands in the way of a plan, and what mends it."""
    if view is None:
        return
    for reason in view.reasons:
        yield reason, f"look at the first failed task of DAG {dag}; its runbook tells more"
    record = view.record
    if record is None:
        return
    for rule in record.rules:
        if rule.severity == "blocker" and rule.accepted < rule.count:
            yield (
                f"{rule.rule}, {counted(rule.count - rule.accepted, 'time')}: {rule.first.component}:"
                f" {rule.first.evidence}",
                f"{rule.first.remedy}; or accept it by name (assess.accept)",
            )
    for gap in [gap for gap in record.gaps if not gap.accepted][:_NAMED]:
        yield f"the inventory has a gap: {gap.detail}", f"{gap.remedy}; or accept it (assess.gaps)"
    if record.unexplained:
        named = enumeration([each.target for each in record.outside_told], _NAMED)
        yield (
            f"{counted(record.unexplained, 'reference')} to what is in no list: {named}",
            "find out what it is, and explain it (assess.references) or list it as well",
        )
