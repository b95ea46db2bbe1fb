"""The checks of a gate by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from heavylift.evidence.assess_evidence import AssessEvidence
from heavylift.evidence.feature_evidence import FeatureEvidence
from heavylift.evidence.model_evidence import ModelEvidence
from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.registry_evidence import RegistryEvidence
from heavylift.evidence.run_evidence import DatasetEvidence
from heavylift.evidence.stream_evidence import StreamEvidence
from heavylift.gates import (
    assess_checks,
    database_checks,
    feature_checks,
    infra_checks,
    model_checks,
    registry_checks,
    stream_checks,
)
from heavylift.gates.database_checks import DatabaseSubject
from heavylift.gates.object_checks import checksums_equal, counts_equal, no_findings
from heavylift.gates.table_checks import expectations_pass, profiles_equal
from heavylift.gates.verdict import Verdict
from heavylift.spec.vocabulary import Check

JUDGES: Mapping[Check, Callable[[DatasetEvidence], Verdict]] = {
    Check.COUNTS_EQUAL: counts_equal,
    Check.CHECKSUMS_EQUAL: checksums_equal,
    Check.NO_FINDINGS: no_findings,
    Check.EXPECTATIONS_PASS: expectations_pass,
    Check.PROFILES_EQUAL: profiles_equal,
}
"""Check → how it is judged on a dataset."""

DATABASE_JUDGES: Mapping[Check, Callable[[DatabaseSubject], Verdict]] = {
    Check.COUNTS_EQUAL: database_checks.counts_equal,
    Check.CHECKSUMS_EQUAL: database_checks.tables_equal,
    Check.NO_FINDINGS: database_checks.no_findings,
    Check.TABLES_EQUAL: database_checks.tables_equal,
    Check.REPLICATION_CAUGHT_UP: database_checks.replication_caught_up,
}
"""Check → how it is judged on a database."""

STREAM_JUDGES: Mapping[Check, Callable[[StreamEvidence], Verdict]] = {
    Check.COUNTS_EQUAL: stream_checks.records_equal,
    Check.CHECKSUMS_EQUAL: stream_checks.records_equal,
    Check.NO_FINDINGS: stream_checks.no_findings,
    Check.REPLICATION_CAUGHT_UP: stream_checks.mirror_caught_up,
}
"""Check → how it is judged on a stream."""

REGISTRY_JUDGES: Mapping[Check, Callable[[RegistryEvidence], Verdict]] = {
    Check.COUNTS_EQUAL: registry_checks.counts_equal,
    Check.CHECKSUMS_EQUAL: registry_checks.registries_equal,
    Check.NO_FINDINGS: registry_checks.no_findings,
    Check.REGISTRIES_EQUAL: registry_checks.registries_equal,
}
"""Check → how it is judged on a registry."""

FEATURE_JUDGES: Mapping[Check, Callable[[FeatureEvidence], Verdict]] = {
    Check.COUNTS_EQUAL: feature_checks.counts_equal,
    Check.CHECKSUMS_EQUAL: feature_checks.features_equal,
    Check.NO_FINDINGS: feature_checks.no_findings,
    Check.FEATURES_EQUAL: feature_checks.features_equal,
}
"""Check → how it is judged on a feature store."""

MODEL_JUDGES: Mapping[Check, Callable[[ModelEvidence], Verdict]] = {
    Check.MODELS_COMPATIBLE: model_checks.compatible,
    Check.MODELS_AGREE: model_checks.agree,
    Check.NO_FINDINGS: model_checks.no_findings,
}
"""Check → how it is judged on a model."""


ASSESS_JUDGES: Mapping[Check, Callable[[AssessEvidence], Verdict]] = {
    Check.INVENTORY_COMPLETE: assess_checks.inventory_complete,
    Check.REFERENCES_EXPLAINED: assess_checks.references_explained,
    Check.BLOCKERS_ACCEPTED: assess_checks.blockers_accepted,
    Check.DEADLINE_KEPT: assess_checks.deadline_kept,
    Check.BASELINES_MEASURED: assess_checks.baselines_measured,
    Check.EVERYTHING_CARRIED: assess_checks.everything_carried,
}
"""Check → how it is judged on an assessment."""


INFRA_JUDGES: Mapping[Check, Callable[[infra_checks.InfraSubject], Verdict]] = {
    Check.INFRA_SCANNED: infra_checks.infra_scanned,
    Check.INFRA_PLANNED: infra_checks.infra_planned,
    Check.SECRETS_EQUAL: infra_checks.secrets_equal,
    Check.IMAGES_EQUAL: infra_checks.images_equal,
}
"""Check → how it is judged on a stage of the provision phase."""


def judge(check: Check, evidence: DatasetEvidence) -> CheckOutcome:
    """Return the outcome of ``check`` on one dataset's evidence.

    It never passes on missing evidence.
    """
    return JUDGES[check](evidence).outcome(check.value, evidence.dataset)


def judge_database(check: Check, subject: DatabaseSubject) -> CheckOutcome:
    """Return the outcome of ``check`` on one database's evidence; it never passes on missing evidence."""
    return DATABASE_JUDGES[check](subject).outcome(check.value, subject.evidence.database)


def judge_stream(check: Check, evidence: StreamEvidence) -> CheckOutcome:
    """Return the outcome of ``check`` on one stream's evidence; it never passes on missing evidence."""
    return STREAM_JUDGES[check](evidence).outcome(check.value, evidence.stream)


def judge_features(check: Check, evidence: FeatureEvidence) -> CheckOutcome:
    """Return the outcome of ``check`` on a feature store's evidence; it never passes on missing evidence."""
    return FEATURE_JUDGES[check](evidence).outcome(check.value, evidence.store)


def judge_registry(check: Check, evidence: RegistryEvidence) -> CheckOutcome:
    """Return the outcome of ``check`` on one registry's evidence; it never passes on missing evidence."""
    return REGISTRY_JUDGES[check](evidence).outcome(check.value, evidence.registry)


def judge_model(check: Check, evidence: ModelEvidence) -> CheckOutcome:
    """Return the outcome of ``check`` on one model's evidence; it never passes on missing evidence."""
    return MODEL_JUDGES[check](evidence).outcome(check.value, evidence.name)


def judge_assessment(check: Check, evidence: AssessEvidence) -> CheckOutcome:
    """Return the outcome of ``check`` on a run's assessment; it never passes on missing evidence."""
    return ASSESS_JUDGES[check](evidence).outcome(check.value, assess_checks.SUBJECT)


def judge_infra(check: Check, subject: infra_checks.InfraSubject) -> CheckOutcome:
    """Return the outcome of ``check`` on one stage's evidence; it never passes on missing evidence."""
    return INFRA_JUDGES[check](subject).outcome(check.value, _subject(check, subject))


def _subject(check: Check, subject: infra_checks.InfraSubject) -> str:
    moved = {Check.SECRETS_EQUAL: "secrets", Check.IMAGES_EQUAL: "images"}
    return moved.get(check, f"{subject.stage} stage")
