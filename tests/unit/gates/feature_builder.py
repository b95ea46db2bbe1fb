"""Evidence of a feature store that was moved well, to be bent by tests."""

from __future__ import annotations

from typing import Any

from heavylift.evidence.feature_records import (
    FeatureHistoryProof,
    FeatureJoinProof,
    FeatureOnlineProof,
    FeatureVerificationRecord,
    HistorySummary,
    feature_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.registry_records import (
    RegistryCompared,
    RegistryDifference,
    RegistryMoveRecord,
    RegistryPreflightRecord,
)
from heavylift.evidence.store import EvidenceStore
from tests.unit.gates import registry_builder
from tests.unit.gates.run_builder import RUN

NAME = "drivers"
_ENDS = {"source": "sagemaker", "target": "feast"}


def preflight(**changes: Any) -> RegistryPreflightRecord:
    return registry_builder.preflight(**{"registry": NAME, "path": "features"} | _ENDS | changes)


def move(written: int = 9, **changes: Any) -> RegistryMoveRecord:
    return registry_builder.move("copy", written, **{"registry": NAME, "path": "features"} | _ENDS | changes)


def history(*, missing: int = 0, different: int = 0) -> FeatureHistoryProof:
    sides = [
        HistorySummary(rows=rows, keys=3, first="2026-01-01", last="2026-02-01", digest=str(rows))
        for rows in (9, 9 - missing)
    ]
    return FeatureHistoryProof(
        view="trips",
        source=sides[0],
        target=sides[1],
        equal=9 - missing - different,
        different=different,
        missing=missing,
        extra=0,
        passed=not (missing or different),
    )


def online(*, different: int = 0) -> FeatureOnlineProof:
    return FeatureOnlineProof(
        view="trips", seed=1, sampled=3, equal=3 - different, different=different, missing=0, extra=0,
        expired=0, absent=0, bound=None if different else 1.0, passed=not different,
    )  # fmt: skip


def verification(**changes: Any) -> FeatureVerificationRecord:
    values: dict[str, Any] = {
        "run": RUN, "store": NAME, "compared": (RegistryCompared(what="view", source=1, target=1, equal=1),),
        "histories": (history(),), "online": (online(),),
        "joins": (FeatureJoinProof(view="trips", seed=1, rows=5, filled=5, different=0, passed=True),),
        "difference_count": 0, "statement": "both sides were read", "passed": True, "seconds": 1.0,
    }  # fmt: skip
    return FeatureVerificationRecord(**_ENDS | values | changes)


def unequal(what: FeatureHistoryProof) -> FeatureVerificationRecord:
    """Return a verification whose history differs."""
    count = what.missing + what.different
    kind = "missing" if what.missing else "different"
    difference = RegistryDifference(what="row of trips", id="driver=7", kind=kind)
    return verification(
        histories=(what,), differences=(difference,) * count, difference_count=count, passed=False
    )


async def write_features(store: EvidenceStore, *records: Any) -> None:
    """Write records in their order, each as the next of its kind."""
    for record in records:
        kind = "copy" if isinstance(record, RegistryMoveRecord) else "verification"
        kind = "preflight" if isinstance(record, RegistryPreflightRecord) else kind
        await write_next(store, lambda number, kind=kind: feature_path(RUN, NAME, kind, number), record)
