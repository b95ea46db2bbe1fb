"""What a run did with feature stores, as rows for report and status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from heavylift.evidence.feature_evidence import FeatureEvidence
from heavylift.evidence.feature_records import FeatureVerificationRecord
from heavylift.evidence.registry_records import RegistryDifference
from heavylift.evidence.wording import counted, differ
from heavylift.gates.summary import feature_reasons
from heavylift.report.blockers import blocker_advice, blockers_of
from heavylift.report.story import RunStory

MOST_DIFFERENCES = 200


@dataclass(frozen=True)
class FeatureRow:
    """One feature store of a run.

    :param reasons: why it does not count as moved and proved; empty where it does.
    """

    evidence: FeatureEvidence
    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """The feature store's name in the spec."""
        return self.evidence.store

    @property
    def proof(self) -> FeatureVerificationRecord | None:
        """The latest verification."""
        return self.evidence.verification.record if self.evidence.verification else None

    @property
    def ends(self) -> tuple[str, str]:
        """Source and target as the latest record calls them; empty where there is none."""
        for kept in (self.evidence.verification, *reversed(self.evidence.moves), self.evidence.preflight):
            if kept:
                return (kept.record.source, kept.record.target)
        return ("", "")

    @property
    def rows(self) -> int:
        """Rows of all histories that were compared, on the source."""
        return sum(view.source.rows for view in self.proof.histories) if self.proof else 0

    @property
    def differences(self) -> tuple[RegistryDifference, ...]:
        """The first things that differ, by id and field; never a value of a feature."""
        return self.proof.differences[:MOST_DIFFERENCES] if self.proof else ()

    @property
    def document(self) -> dict[str, Any]:
        """The row as ``heavylift status --json`` gives it."""
        proof = self.proof
        return {
            "feature_store": self.name,
            "rows_written": self.evidence.written,
            "history_rows": self.rows if proof else None,
            "verified": proof.passed if proof else None,
            "verified_at": proof.verified_at if proof else None,
            "definitions": {each.what: each.source for each in proof.compared} if proof else {},
            "views": {each.view: each.passed for each in proof.histories} if proof else {},
            "online": {each.view: each.passed for each in proof.online} if proof else {},
            "joins": {each.view: each.passed for each in proof.joins} if proof else {},
            "differences": proof.difference_count if proof else None,
            "reasons": list(self.reasons),
        }


def feature_rows(story: RunStory) -> tuple[FeatureRow, ...]:
    """Return a row for each feature store of the run."""
    return tuple(FeatureRow(each, tuple(feature_reasons(each))) for each in story.feature_stores)


def feature_line(row: FeatureRow) -> str:
    """Return one line about a feature store, for ``heavylift status``."""
    parts = []
    if row.evidence.moves:
        parts.append(f"{counted(row.evidence.written, 'row')} written by this run")
    if row.proof:
        result = "equal" if row.proof.passed else differ(row.proof.difference_count, "thing")
        views = counted(len(row.proof.histories), "view")
        parts.append(f"verified {counted(row.rows, 'row')} in {views}: {result}")
    return f"{row.name}: {'; '.join(parts) or 'nothing was moved'}"


def features_so_far(story: RunStory) -> str:
    """Return what has been written, for the headline of a run that is not proved."""
    return f"{counted(sum(each.written for each in story.feature_stores), 'row')} written in feature stores"


def features_proof(story: RunStory) -> str:
    """Return the sentence that says what was proved of feature stores; empty where there are none."""
    rows = [row for row in feature_rows(story) if row.proof]
    if not rows:
        return ""
    keys = sum(each.sampled for row in rows if row.proof for each in row.proof.online)
    words = (
        f"{counted(sum(row.rows for row in rows), 'row')} of history in"
        f" {counted(len(rows), 'feature store')} were read afresh on both sides and proved equal"
    )
    return words + (f"; {counted(keys, 'served key')} were compared as a sample." if keys else ".")


def feature_advice(row: FeatureRow, dag: str) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with a feature store and what mends it."""
    group = f"features_{row.name}"
    blockers = blockers_of(row.evidence.findings)
    yield from blocker_advice(row.name, blockers, f"{group}.preflight_features")
    kept = row.evidence.verification
    if kept is not None and not kept.record.passed:
        yield (
            f"{row.name}: {differ(kept.record.difference_count, 'thing')}",
            f"all of it is in {kept.ref.path}; find out who else writes to the target, then clear group"
            f" {group} of DAG {dag} from its copy on, with Downstream",
        )
    elif row.reasons and not blockers:
        yield row.reasons[-1], f"look at the first failed task of group {group} in DAG {dag}"
