"""Keeps the rows that differ as evidence: by key alone, in Parquet where there are many."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import AlreadyExistsError
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.paths import database_differences_path, database_path
from heavylift.evidence.records import MAX_LISTED
from heavylift.evidence.store import PARQUET

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.store import EvidenceStore
    from heavylift.evidence.table_records import TableDifference
    from heavylift.tables.engine import Comparison
    from heavylift.tables.requests import TablesRequest


async def keep_differences(
    store: EvidenceStore, request: TablesRequest, comparison: Comparison
) -> EvidenceRef | None:
    """Write all differences as Parquet where a record cannot list them all; return its reference."""
    if comparison.difference_count <= MAX_LISTED and comparison.spilled is None:
        return None
    if comparison.spilled is not None:
        local = Path(comparison.spilled)
        ref = await _keep(store, request, local)
        local.unlink()
        return ref
    with tempfile.TemporaryDirectory(prefix="heavylift-differences-") as folder:
        local = Path(folder) / "differences.parquet"
        await asyncio.to_thread(write_differences, comparison.differences, local)
        return await _keep(store, request, local)


def write_differences(differences: Iterable[TableDifference], local: Path) -> None:
    """Write a row for each difference: table, kind, and the key's columns as a JSON object."""
    import duckdb

    lines = local.with_suffix(".jsonl")
    with lines.open("w", encoding="utf-8") as file:
        for each in differences:
            key = json.dumps(each.key, ensure_ascii=False)
            row = {"table": each.table, "kind": each.kind, "key": key}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    columns = {"table": "VARCHAR", "kind": "VARCHAR", "key": "VARCHAR"}
    with duckdb.connect() as database:
        database.read_json(str(lines), columns=columns, format="newline_delimited").write_parquet(
            str(local), compression="zstd"
        )
    lines.unlink()


async def _keep(store: EvidenceStore, request: TablesRequest, local: Path) -> EvidenceRef:
    run, name = request.run, request.database
    # The number that the verification's own record will get, unless another one comes between.
    number = await latest_number(store, lambda n: database_path(run, name, "verification", n))
    while True:
        number += 1
        try:
            return await store.write_file(database_differences_path(run, name, number), local, PARQUET)
        except AlreadyExistsError:
            continue
