"""What changed in a dataset between two runs, by their hash trees."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.tree import changed_leaves, read_tree, rows_of_leaves

MOST_ROWS = 10_000
"""How many rows of the leaves that differ are compared."""


@dataclass(frozen=True)
class Changes:
    """What differs between the states of two runs.

    :param leaves: how many of the 4,096 leaves differ.
    :param keys: the keys whose rows differ, as far as the first ``MOST_ROWS`` rows tell.
    """

    roots: tuple[str, str]
    leaves: int
    keys: tuple[str, ...]


async def changes_between(
    evidence: EvidenceStore, migration: str, dataset: str, runs: tuple[str, str]
) -> Changes:
    """Compare the states that two runs have left; reads evidence only.

    :param runs: as ``<migration>/<phase>/<run>``, or the last part alone.
    :raises NotFoundError: a run has left no state of this dataset, or one without a tree.
    """
    states = [await _state_of(evidence, migration, dataset, run) for run in runs]
    with tempfile.TemporaryDirectory(prefix="heavylift-tree-") as folder:
        trees = []
        for number, state in enumerate(states):
            path = Path(folder) / f"tree-{number}.parquet"
            await evidence.fetch(EvidenceRef.model_validate(state["tree"]).path, path)
            trees.append(read_tree(path))
        leaves = changed_leaves(*trees)
        keys = await _changed_keys(evidence, states, leaves, Path(folder)) if leaves else ()
    return Changes((states[0]["root"], states[1]["root"]), len(leaves), keys)


async def _changed_keys(
    evidence: EvidenceStore, states: list[dict[str, Any]], leaves: list[int], work: Path
) -> tuple[str, ...]:
    rows: list[dict[str, dict[str, object]]] = []
    for number, state in enumerate(states):
        path = work / f"inventory-{number}.parquet"
        await evidence.fetch(EvidenceRef.model_validate(state["inventory"]).path, path)
        rows.append({str(row["rel"]): row for row in rows_of_leaves(path, leaves, MOST_ROWS)})
    one, other = rows
    return tuple(key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key))


async def _state_of(evidence: EvidenceStore, migration: str, dataset: str, run: str) -> dict[str, Any]:
    async for state in StateLog(evidence, migration, dataset).backwards():
        if run in {state["run"], state["run"].rpartition("/")[2]} and "tree" in state:
            return state
    raise NotFoundError(
        f"looking up the state of dataset {dataset!r} after run {run!r}",
        got="no state with a hash tree",
        expected="a run of this migration that has verified the dataset",
        state="nothing was changed",
        remedy="name a run as the evidence store's folders do",
        code="5045",
    )
