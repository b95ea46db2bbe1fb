"""The migration spec: what a user writes in ``include/migrations/<name>.yaml``, read and checked.

Reading needs pydantic and PyYAML only, so that DAG files may do it while they are parsed. It
touches no cloud and opens no connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.lazily import lazily

if TYPE_CHECKING:
    from heavylift.spec.datasets import Limits, Metadata, Sample, Verify
    from heavylift.spec.expectations import Compare, Expectation, TableExpectations
    from heavylift.spec.gates import DEFAULT_TRANSFER_GATE, Approval, Gate
    from heavylift.spec.load import (
        LoadedSpec,
        SpecSet,
        load_files,
        load_spec,
        load_specs,
        migrations_dir,
        spec_digest,
    )
    from heavylift.spec.model import API_VERSION, MigrationSpec
    from heavylift.spec.platforms import Defaults, EvidenceStore, Schedule, Side
    from heavylift.spec.problems import Mark, Problem, SpecFileError
    from heavylift.spec.resolve import (
        ResolvedDataset,
        ResolvedPlace,
        find_dataset,
        resolve_dataset,
        resolve_datasets,
    )
    from heavylift.spec.sections_datasets import Dataset
    from heavylift.spec.support import SUPPORTED_PHASES, SUPPORTED_SECTIONS
    from heavylift.spec.vocabulary import (
        Check,
        CompareColumns,
        Deletes,
        OnConflict,
        OnUnholdableKey,
        Phase,
        Platform,
        TableFormat,
        VerifyMethod,
        VerifyMode,
    )

__all__ = [
    "API_VERSION",
    "DEFAULT_TRANSFER_GATE",
    "SUPPORTED_PHASES",
    "SUPPORTED_SECTIONS",
    "Approval",
    "Check",
    "Compare",
    "CompareColumns",
    "Dataset",
    "Defaults",
    "Deletes",
    "EvidenceStore",
    "Expectation",
    "Gate",
    "Limits",
    "LoadedSpec",
    "Mark",
    "Metadata",
    "MigrationSpec",
    "OnConflict",
    "OnUnholdableKey",
    "Phase",
    "Platform",
    "Problem",
    "ResolvedDataset",
    "ResolvedPlace",
    "Sample",
    "Schedule",
    "Side",
    "SpecFileError",
    "SpecSet",
    "TableExpectations",
    "TableFormat",
    "Verify",
    "VerifyMethod",
    "VerifyMode",
    "find_dataset",
    "load_files",
    "load_spec",
    "load_specs",
    "migrations_dir",
    "resolve_dataset",
    "resolve_datasets",
    "spec_digest",
]

_HOMES = {
    "API_VERSION": "model",
    "Approval": "gates",
    "Check": "vocabulary",
    "Compare": "expectations",
    "CompareColumns": "vocabulary",
    "DEFAULT_TRANSFER_GATE": "gates",
    "Dataset": "sections_datasets",
    "Defaults": "platforms",
    "Deletes": "vocabulary",
    "EvidenceStore": "platforms",
    "Expectation": "expectations",
    "Gate": "gates",
    "Limits": "datasets",
    "LoadedSpec": "load",
    "Mark": "problems",
    "Metadata": "datasets",
    "MigrationSpec": "model",
    "OnConflict": "vocabulary",
    "OnUnholdableKey": "vocabulary",
    "Phase": "vocabulary",
    "Platform": "vocabulary",
    "Problem": "problems",
    "ResolvedDataset": "resolve",
    "ResolvedPlace": "resolve",
    "SUPPORTED_PHASES": "support",
    "SUPPORTED_SECTIONS": "support",
    "Sample": "datasets",
    "Schedule": "platforms",
    "Side": "platforms",
    "SpecFileError": "problems",
    "SpecSet": "load",
    "TableExpectations": "expectations",
    "TableFormat": "vocabulary",
    "Verify": "datasets",
    "VerifyMethod": "vocabulary",
    "VerifyMode": "vocabulary",
    "find_dataset": "resolve",
    "load_files": "load",
    "load_spec": "load",
    "load_specs": "load",
    "migrations_dir": "load",
    "resolve_dataset": "resolve",
    "resolve_datasets": "resolve",
    "spec_digest": "load",
}

__getattr__ = lazily(__name__, __name__, _HOMES)
