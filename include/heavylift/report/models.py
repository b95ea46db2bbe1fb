"""What a run found of models, as rows for report and status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from heavylift.evidence.model_evidence import ModelEvidence
from heavylift.evidence.wording import counted
from heavylift.gates.summary import model_reasons
from heavylift.report.blockers import MOST_TOLD, blockers_of
from heavylift.report.model_plots import draw_latency, draw_parity
from heavylift.report.story import RunStory


@dataclass(frozen=True)
class ModelRow:
    """One version of a model in a run.

    :param reasons: why it does not count as proved; empty where it does.
    """

    evidence: ModelEvidence
    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """The model and its version."""
        return self.evidence.name

    @property
    def ends(self) -> tuple[str, str]:
        """Source and target as the latest record calls them; empty where there is none."""
        if self.evidence.comparison:
            record = self.evidence.comparison.record
            return (record.source.url, record.target.url)
        if self.evidence.check:
            return (self.evidence.check.record.source_url, self.evidence.check.record.target_url)
        return ("", "")

    @property
    def blockers(self) -> int:
        """How many findings stand in the way."""
        return len(blockers_of(self.evidence.findings))

    @property
    def parity(self) -> Markup:
        """The plot of both sides' answers; empty where there is nothing to draw."""
        kept = self.evidence.comparison
        return draw_parity(kept.record.points) if kept and kept.record.points else Markup()

    @property
    def latency(self) -> Markup:
        """The plot of both sides' latency; empty where it was not measured."""
        kept = self.evidence.comparison
        found = kept.record.latency if kept else None
        return draw_latency(found) if found and found.curve else Markup()

    @property
    def document(self) -> dict[str, Any]:
        """The row as ``heavylift status --json`` gives it."""
        check = self.evidence.check.record if self.evidence.check else None
        found = self.evidence.comparison.record if self.evidence.comparison else None
        return {
            "model": self.evidence.model,
            "version": self.evidence.version,
            "compatible": check.passed if check else None,
            "agrees": found.passed if found else None,
            "rows": found.rows if found else None,
            "mismatched": found.mismatched if found else None,
            "mismatch_bound": found.mismatch_bound if found else None,
            "converted": {
                each.record.form: each.record.place if each.record.passed else None
                for each in self.evidence.conversions
            },
            "reasons": list(self.reasons),
        }


def model_rows(story: RunStory) -> tuple[ModelRow, ...]:
    """Return a row for each version of a model in the run."""
    return tuple(ModelRow(each, tuple(model_reasons(each))) for each in story.models)


def model_line(row: ModelRow) -> str:
    """Return one line about a model, for ``heavylift status``."""
    evidence = row.evidence
    parts = []
    if evidence.check:
        parts.append("compatible" if evidence.check.record.passed else evidence.check.record.statement)
    if evidence.comparison:
        record = evidence.comparison.record
        parts.append(f"{'agrees' if record.passed else 'DIFFERS'}: {record.statement}")
    for each in evidence.conversions:
        word = "converted to" if each.record.passed else "NOT CONVERTED to"
        parts.append(f"{word} {each.record.form}: {each.record.statement}")
    return f"{row.name}: {'; '.join(parts) or 'nothing was looked at'}"


def models_so_far(story: RunStory) -> str:
    """Return what has been compared, for the headline of a run that is not proved."""
    passed = sum(bool(each.comparison and each.comparison.record.passed) for each in story.models)
    return f"{passed} of {counted(len(story.models), 'model')} answer alike on both sides"


def models_proof(story: RunStory) -> str:
    """Return the sentence that says what was proved of models; empty where there are none."""
    records = [each.comparison.record for each in story.models if each.comparison]
    if not records:
        return ""
    rows = sum(record.rows for record in records)
    return (
        f"{counted(len(records), 'model')} answered {counted(rows, 'golden row')} on both sides, in"
        " processes of their own, and agreed within the stated tolerance."
    )


def model_advice(row: ModelRow, dag: str) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with a model and what mends it."""
    blockers = blockers_of(row.evidence.findings)
    for each in blockers[:MOST_TOLD]:
        yield f"{row.name}: {each.rule}: {each.subject}: {each.detail}", each.remedy
    if row.reasons and not blockers:
        yield (
            row.reasons[0],
            f"look at the first failed task of DAG {dag}; its runbook tells more",
        )
