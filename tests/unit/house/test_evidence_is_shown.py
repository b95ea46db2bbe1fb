"""Every kind of evidence is shown to somebody, or it stands here why not."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import heavylift
import heavylift.evidence
from heavylift.evidence.base import Record
from heavylift.report.beside import TELLERS
from heavylift.report.beside_words import Watched
from tests.unit.house.modules import REPOSITORY

LIBRARY = Path(heavylift.__file__).parent
PAGE = REPOSITORY / "docs" / "reference" / "what-is-shown.md"

SHOWN = {
    "AccessRecord": ("report/parts.py", "evidence.access,"),
    "AccessVerification": ("report/parts.py", "evidence.access_seen"),
    "ApplicationRecord": ("report/templates/provision.html", "row.done"),
    "Approval": ("report/templates/proof.html", "approver"),
    "AssessmentRecord": ("report/templates/assess.html", "record"),
    "AuditEntry": ("report/templates/trail.html", "acts"),
    "CanaryRecord": ("report/templates/switch.html", "s.canaries"),
    "DatasetCheckRecord": ("report/templates/proof.html", "check"),
    "DecommissionEvent": ("report/templates/leaving.html", "event"),
    "DecommissionPlan": ("report/templates/leaving.html", "plan"),
    "DeletesRecord": ("report/templates/gone.html", "deletions"),
    "DeletionCertificate": ("report/templates/leaving.html", "certificate"),
    "DrainRecord": ("report/timeline.py", "evidence.drain"),
    "DrillRecord": ("board/templates/detail.html", "a.drills.lines"),
    "EndpointBaseline": ("report/assessment.py", "EndpointBaseline"),
    "FeatureVerificationRecord": ("report/features.py", "evidence.verification"),
    "FinalRecord": ("board/templates/detail.html", "a.final"),
    "GateResult": ("report/templates/proof.html", "gate.results"),
    "GenerationRecord": ("report/templates/provision.html", "p.record"),
    "InventoryRecord": ("report/assessment.py", "inventor"),
    "MixRecord": ("report/templates/optimize.html", "o.others"),
    "ModelCheckRecord": ("report/models.py", "evidence.check"),
    "ModelComparisonRecord": ("report/models.py", "evidence.comparison"),
    "ModelConversionRecord": ("report/templates/models.html", "evidence.conversions"),
    "PartRecord": ("report/templates/provision.html", "p.parts"),
    "PhaseSummary": ("report/verdict.py", "summary"),
    "PlanRecord": ("report/view.py", "each.plan"),
    "PreflightRecord": ("report/databases.py", "preflight"),
    "ProposalRecord": ("report/optimize.py", "ProposalRecord"),
    "QuotaRecord": ("report/assessment.py", "QuotaRecord"),
    "ReadinessRecord": ("report/templates/switch.html", "s.readiness"),
    "RegistryMoveRecord": ("report/registries.py", "moves"),
    "RegistryPreflightRecord": ("report/registries.py", "preflight"),
    "RegistryVerificationRecord": ("report/registries.py", "verification"),
    "RehearsalRecord": ("report/switch.py", "evidence.rehearsal"),
    "ScheduleRecord": ("report/switch.py", "ScheduleRecord"),
    "ShardResult": ("report/view.py", "kept.record.failures"),
    "ShiftRecord": ("report/templates/switch.html", "s.evidence.shifts"),
    "SizeRecord": ("report/templates/optimize.html", "o.others"),
    "SnapshotRecord": ("report/databases.py", "snapshot"),
    "StagePlanRecord": ("report/provision.py", "evidence.plan("),
    "StreamMirrorRecord": ("report/streams.py", "mirror"),
    "StreamPlanRecord": ("report/streams.py", "plan"),
    "StreamVerificationRecord": ("report/streams.py", "verification"),
    "StudyRecord": ("report/optimize.py", "StudyRecord"),
    "SwitchRecord": ("report/templates/switch.html", "s.record"),
    "SyncRecord": ("report/databases.py", "sync"),
    "TableVerificationRecord": ("report/databases.py", "verification"),
    "TurnRecord": ("board/templates/detail.html", "s.turn"),
    "UnusedRecord": ("report/leaving.py", "evidence.unused"),
    "UtilisationRecord": ("report/assessment.py", "UtilisationRecord"),
    "VerificationRecord": ("report/templates/proof.html", "record"),
}
"""Kind → a place of the report or the board, and what stands there of it."""

HIDDEN = {
    "BatchRecord": "what a deletion did with a thousand objects; the certificate tells of all",
    "ConsentRecord": "it is shown as the approval of the gate that it is bound to",
    "DroppedDatabase": "an event of the same plan tells it",
    "GraphRecord": "its edges are; the record is their index",
    "ImageMap": "read by the translation of manifests; the record of the images is told",
    "ModelBaseline": "it travels between tasks; the comparison that it enters is shown",
    "ModelWeightsRecord": "the conversion that it proves names it, and fails with it",
    "ProfileRecord": "sketches of columns, for a later comparison, which is told",
    "RegistryIdMap": "ids of both servers, for programs; the counts are shown",
    "ScalingRecord": "a file of the part autoscaling, which tells its verdict",
    "ServiceRunRecord": "what was asked of a service; how it ended is told",
    "TrainingRecord": "a file of the part training, which tells its verdict",
    "TrialRecord": "one trial of a study; the study is shown",
}
"""Kind → why nobody needs to be shown it."""


def _below(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _kinds() -> dict[str, type[BaseModel]]:
    for module in pkgutil.iter_modules(heavylift.evidence.__path__):
        importlib.import_module(f"heavylift.evidence.{module.name}")
    return {
        each.__name__: each
        for each in _below(Record)
        if "schema_version" in each.model_fields and each.__module__.startswith("heavylift.evidence.")
    }


KINDS = _kinds()
TOLD = {each.model.__name__ for each in TELLERS}


def _is_watched(kind: type[BaseModel]) -> bool:
    return set(Watched.model_fields) <= set(kind.model_fields)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_of_evidence_is_shown_in_one_place_or_hidden_for_a_reason(name: str) -> None:
    told = name in TOLD or (_is_watched(KINDS[name]) and name not in HIDDEN)
    places = [told, name in SHOWN, name in HIDDEN]
    assert sum(places) == 1, (
        f"{name}: tell it in report/beside.py, or name here where it is shown, or why it is not"
    )


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_it_stands_where_it_is_said_to_be_shown(name: str) -> None:
    file, text = SHOWN[name]
    assert name in KINDS
    assert text in (LIBRARY / file).read_text(encoding="utf-8"), f"{name} is no longer in {file}"


def test_nothing_is_hidden_or_told_that_is_gone() -> None:
    assert set(HIDDEN) <= set(KINDS)
    assert TOLD - {Watched.__name__} <= set(KINDS)


def test_the_page_names_every_kind() -> None:
    text = PAGE.read_text(encoding="utf-8")
    schemas = {
        str(kind.model_fields["schema_version"].default): name
        for name, kind in KINDS.items()
        if name not in HIDDEN
    }
    assert [name for name in schemas.values() if f"`{name}`" not in text] == []
    assert [name for name in HIDDEN if f"`{name}`" not in text] == []
