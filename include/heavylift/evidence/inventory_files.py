"""The Parquet files beside an inventory's records, which other capabilities read, too."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from heavylift.evidence.inventory_records import (
    Component,
    Edge,
    How,
    Kind,
    Outside,
    OutsideReference,
    Reference,
)
from heavylift.evidence.store import PARQUET

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.inventory_records import InventoryRecord
    from heavylift.evidence.store import EvidenceStore

_ROWS_AT_ONCE = 20_000
_WHOLE = frozenset({"size_bytes", "objects"})
_REALS = frozenset({"confidence"})
RowT = TypeVar("RowT", Component, Reference, Edge)


async def write_rows(store: EvidenceStore, path: str, rows: Sequence[RowT], kind: type[RowT]) -> EvidenceRef:
    """Write rows of one kind under ``path``; the same rows make the same bytes."""
    return await store.write_bytes(path, _parquet(_COLUMNS[kind], (_values(row) for row in rows)), PARQUET)


async def write_outside(store: EvidenceStore, path: str, rows: Sequence[OutsideReference]) -> EvidenceRef:
    """Write references that point outside the inventory."""
    values = ((*_values(row.reference), row.why.value, row.explained) for row in rows)
    return await store.write_bytes(
        path, _parquet([*_COLUMNS[Reference], "why", "explained"], values), PARQUET
    )


async def read_components(store: EvidenceStore, ref: EvidenceRef) -> list[Component]:
    """Return the components that an inventory refers to.

    :raises AuditError: the file is not what it was.
    """
    return [Component(**{**row, "kind": Kind(row["kind"])}) for row in _rows(await store.read_verified(ref))]


async def read_joined(store: EvidenceStore, records: Iterable[InventoryRecord]) -> list[Component]:
    """Return the components of several inventories; what two of them have counts once, as the first has it.

    Where the first does not tell a size, the one that does tells it: a listing of a store's buckets, of
    which the platform's interface only knows the names.

    :raises AuditError: a file is not what it was.
    """
    found: dict[str, Component] = {}
    for record in records:
        for component in await read_components(store, record.components):
            before = found.setdefault(component.id, component)
            if before.size_bytes is None and component.size_bytes is not None:
                size, objects = component.size_bytes, component.objects
                found[component.id] = dataclasses.replace(before, size_bytes=size, objects=objects)
    return list(found.values())


async def read_references(store: EvidenceStore, ref: EvidenceRef) -> list[Reference]:
    """Return the references that an inventory refers to.

    :raises AuditError: the file is not what it was.
    """
    return [_reference(row) for row in _rows(await store.read_verified(ref))]


async def read_edges(store: EvidenceStore, ref: EvidenceRef) -> list[Edge]:
    """Return the edges that a graph refers to.

    :raises AuditError: the file is not what it was.
    """
    return [
        Edge(**{**row, "how": How(row["how"]), "fields": tuple(row["fields"])})
        for row in _rows(await store.read_verified(ref))
    ]


async def read_outside(store: EvidenceStore, ref: EvidenceRef) -> list[OutsideReference]:
    """Return the references that a graph found to point outside.

    :raises AuditError: the file is not what it was.
    """
    found = []
    for row in _rows(await store.read_verified(ref)):
        why, explained = Outside(row.pop("why")), row.pop("explained")
        found.append(OutsideReference(_reference(row), why, explained))
    return found


def _reference(row: dict[str, Any]) -> Reference:
    return Reference(**{**row, "how": How(row["how"])})


# Asked for each row: looking them up anew would be half of what writing takes.
_COLUMNS = {
    kind: tuple(field.name for field in dataclasses.fields(kind)) for kind in (Component, Reference, Edge)
}


def _values(row: Any) -> tuple[Any, ...]:
    return tuple(
        list(value) if isinstance(value, tuple) else value
        for value in (getattr(row, name) for name in _COLUMNS[type(row)])
    )


def _parquet(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _type(pa, name)) for name in columns])
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            arrays = [
                pa.array(list(values), schema.field(i).type)
                for i, values in enumerate(zip(*batch, strict=True))
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return sink.getvalue()


def _type(pa: Any, name: str) -> Any:
    if name in _WHOLE:
        return pa.int64()
    if name in _REALS:
        return pa.float64()
    return pa.list_(pa.string()) if name == "fields" else pa.string()


def _batches(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _rows(data: bytes) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    for batch in file.iter_batches(_ROWS_AT_ONCE):
        yield from batch.to_pylist()
