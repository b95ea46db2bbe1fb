"""What a run has left behind about a model: its versions' checks and comparisons.

Read by gates and summaries, so that both judge the same files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heavylift.evidence.model_records import (
    ModelCheckRecord,
    ModelComparisonRecord,
    ModelConversionRecord,
    model_path,
)
from heavylift.evidence.records import EvidenceRef, Finding, RunKey
from heavylift.evidence.run_evidence import Kept, read_latest
from heavylift.evidence.store import EvidenceStore


@dataclass(frozen=True)
class ModelEvidence:
    """The latest records of one version of a model in one run.

    :param conversions: one for each portable form that was made, or tried.
    """

    model: str
    version: str = ""
    check: Kept[ModelCheckRecord] | None = None
    comparison: Kept[ModelComparisonRecord] | None = None
    conversions: tuple[Kept[ModelConversionRecord], ...] = ()

    @property
    def name(self) -> str:
        """The model and its version, for people."""
        return f"{self.model} {self.version}" if self.version else self.model

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the records have found."""
        found = [
            finding for kept in (self.check, self.comparison) if kept for finding in kept.record.findings
        ]
        return tuple(dict.fromkeys(found))

    @property
    def refs(self) -> tuple[EvidenceRef, ...]:
        """The files that all this was read from."""
        kept = [each.ref for each in (self.check, self.comparison) if each]
        return (*kept, *(each.ref for each in self.conversions))

    @property
    def is_of_other_bytes(self) -> bool:
        """Tell whether what was compared is not what was checked."""
        if self.check is None or self.comparison is None:
            return False
        checked, compared = self.check.record, self.comparison.record
        pairs = ((checked.digest, compared.source.digest), (checked.target_digest, compared.target.digest))
        return any(one and other and one != other for one, other in pairs)


FORMS = ("onnx", "safetensors")
"""Portable forms that there may be records of."""

ModelVersions = Iterable[tuple[str, str]]
"""Names of models, each with a version; empty where the model has none."""


async def read_model_evidence(store: EvidenceStore, run: RunKey, model: str, version: str) -> ModelEvidence:
    """Read the latest records of one version in ``run``; what does not exist is None.

    :raises AuditError: a record is damaged.
    """
    converted = [await read_conversion(store, run, model, version, form) for form in FORMS]
    return ModelEvidence(
        model,
        version,
        check=await read_latest(
            store, lambda n: model_path(run, model, version, "model-check", n), ModelCheckRecord
        ),
        comparison=await read_latest(
            store, lambda n: model_path(run, model, version, "model-comparison", n), ModelComparisonRecord
        ),
        conversions=tuple(each for each in converted if each is not None),
    )


async def read_conversion(
    store: EvidenceStore, run: RunKey, model: str, version: str, form: str
) -> Kept[ModelConversionRecord] | None:
    """Read the latest record of one version's conversion to ``form`` in ``run``; None where there is none.

    :raises AuditError: the record is damaged.
    """
    return await read_latest(
        store, lambda n: model_path(run, model, version, f"{form}-conversion", n), ModelConversionRecord
    )
