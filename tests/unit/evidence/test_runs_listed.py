"""Which files of a migration are those of runs: what lies beside the phases is no run of one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from heavylift.evidence.runs import runs_in
from heavylift.evidence.store import EvidenceFile

SEEN = datetime(2026, 11, 30, tzinfo=UTC)


def files(*paths: str) -> list[EvidenceFile]:
    return [EvidenceFile(path, 1, SEEN) for path in paths]


@pytest.mark.parametrize(
    "folder",
    ["~turns/mlflow", "~switch/1", "~notify/x", "~anything/later", "audit/1", "quarantine/set", "state/x"],
)
def test_what_lies_beside_the_phases_is_no_run(folder: str) -> None:
    found = runs_in(
        files(f"m/{folder}/turn-1.json", "m/registry/r1/~registries/history.back/copy-1.json"), "m"
    )
    assert [(each.key.phase, each.key.run, each.registries) for each in found] == [
        ("registry", "r1", ("history.back",))
    ]
