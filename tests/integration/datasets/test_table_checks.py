"""Table checks between real stores: the example's tables, moved by nothing but get and put."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.checksums import digest
from heavylift.connections import connection_from_env
from heavylift.datasets.checks import check_dataset
from heavylift.datasets.requests import DatasetCheckRequest
from heavylift.evidence.records import DatasetCheckRecord, RunKey
from heavylift.evidence.store import open_evidence
from heavylift.locations import Location
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes, ObjectStore
from heavylift.platforms.wiring import open_store
from heavylift.spec.expectations import TableExpectations
from sandbox.examples.fraud_scoring import seed
from sandbox.stack import Stack

SCALE = 0.05
CHANGED = "training/transactions/day=2026-10-03/part-0.parquet"
TABLES = tuple(
    TableExpectations.model_validate(fields)
    for fields in (
        {
            "name": "transactions",
            "format": "parquet",
            "path": "transactions/**/*.parquet",
            "suite": [
                {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "transaction_id"}},
                {
                    "type": "expect_column_values_to_be_between",
                    "kwargs": {"column": "amount", "min_value": 0},
                },
                {
                    "type": "expect_column_mean_to_be_between",
                    "kwargs": {"column": "is_fraud", "min_value": 0.01, "max_value": 0.02},
                },
            ],
        },
        {"name": "labels", "format": "csv", "path": "labels.csv"},
        {"name": "customers", "format": "csv", "path": "customers.csv.gz"},
    )
)


@pytest.fixture
async def places(sandbox: Stack) -> AsyncIterator[tuple[Place, Place]]:
    """Return the training data on the source and a copy of it on the target; emptied afterwards."""
    bucket = f"tables-{uuid.uuid4().hex[:12]}"
    await asyncio.to_thread(seed, sandbox.env, scale=SCALE, bucket=bucket)
    source, target = (
        Place(Location(scheme, bucket, "training/"), connection_from_env(name, sandbox.env))
        for scheme, name in (("s3", "aws_source"), ("gs", "gcp_target"))
    )
    async with (
        open_store(source.location, source.connection) as ours,
        open_store(target.location, target.connection) as theirs,
    ):
        await copy_all(ours, theirs)
        yield source, target
        for store in (ours, theirs):
            for key in [item.key async for page in store.list_pages() for item in page]:
                await store.delete(key)


async def copy_all(source: ObjectStore, target: ObjectStore) -> None:
    for key in [item.key async for page in source.list_pages("training/") for item in page]:
        async with source.get(key) as stream:
            body = b"".join([bytes(chunk) async for chunk in stream.chunks()])
            await put(target, key, body, stream.head.attributes)


async def put(store: ObjectStore, key: str, body: bytes, attributes: ObjectAttributes) -> None:
    await store.put(key, body, attributes, digest(body, *store.traits.verifies), create_only=False)


async def check(places: tuple[Place, Place], folder: Path) -> DatasetCheckRecord:
    request = DatasetCheckRequest(
        RunKey(migration="m", phase="transfer", run="r"), "training-data", *places, expectations=TABLES
    )
    async with open_evidence(folder.as_uri()) as evidence:
        record, ref = await check_dataset(request, evidence)
        assert await evidence.read_record(ref.path, DatasetCheckRecord) == record
    return record


@pytest.mark.long
async def test_a_faithful_copy_passes_and_one_changed_value_fails(
    places: tuple[Place, Place], tmp_path: Path
) -> None:
    record = await check(places, tmp_path)
    assert record.expectations_passed, record.expectations
    assert record.profiles_equal, [item for item in record.columns if not item.equal]
    rows = round(30 * 6700 * SCALE)
    assert (record.files, record.source_rows) == (32, 2 * rows + round(20_000 * SCALE))

    target = places[1]
    async with open_store(target.location, target.connection) as store, store.get(CHANGED) as stream:
        body = b"".join([bytes(chunk) async for chunk in stream.chunks()])
        await put(store, CHANGED, one_cent_more(body), stream.head.attributes)
    record = await check(places, tmp_path)
    assert not record.profiles_equal
    differing = {(item.column, item.figure) for item in record.columns if not item.equal}
    assert ("transactions.amount", "sum") in differing
    assert {column for column, _ in differing} == {"transactions", "transactions.amount"}


def one_cent_more(body: bytes) -> bytes:
    table = pq.read_table(io.BytesIO(body))
    amounts = table["amount"].to_pylist()
    amounts[17] = amounts[17] + amounts[17].__class__("0.01")
    position = table.column_names.index("amount")
    field = table.schema.field("amount")
    sink = io.BytesIO()
    pq.write_table(table.set_column(position, field, pa.array(amounts, field.type)), sink)
    return sink.getvalue()
