"""Scans on real servers: objects in S3, tables in PostgreSQL, and a scan that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.compliance.requests import ScanRequest
from heavylift.compliance.scanning import scan
from heavylift.connections import connection_from_env
from heavylift.errors import NotFoundError
from heavylift.locations import Location
from heavylift.platforms.places import Place
from heavylift.platforms.postgresql.connect import connect
from sandbox.examples.uploading import ensure_s3_bucket, s3_client
from sandbox.stack import Stack
from tests.support.personal_data import plain_text

CANARY = "joe.canary@example.com"


@pytest.fixture
def schema(sandbox: Stack) -> Iterator[str]:
    name = f"Scan {uuid.uuid4().hex[:8]}"
    session = connect(connection_from_env("features_source", sandbox.env), "test")
    session.execute(f'CREATE SCHEMA "{name}"')
    session.execute(
        f'CREATE TABLE "{name}"."Patients" ("E-Mail" text, dob date, ssn int, doc jsonb, score float)'
    )
    session.execute(
        f"INSERT INTO \"{name}\".\"Patients\" SELECT 'u' || i || '@example.com', date '1980-02-03' + i,"
        f" 123456000 + i, jsonb_build_object('tel', '+49 30 901820'), 0.5 FROM generate_series(1, 5000) i"
    )
    yield name
    session.execute(f'DROP SCHEMA "{name}" CASCADE')
    session.close()


async def test_rows_of_a_table_are_drawn_by_the_server(sandbox: Stack, schema: str, tmp_path: Path) -> None:
    request = ScanRequest(
        migration="m", subject="patients", database=connection_from_env("features_source", sandbox.env),
        tables=(f"{schema}.*",), bound=0.01, evidence_url=tmp_path.as_uri(),
    )  # fmt: skip
    record, _ = await scan(request)
    found = {(each.column.rpartition(".")[2], each.entity) for each in record.found}
    assert {("E-Mail", "email"), ("dob", "date_of_birth"), ("ssn", "us_ssn"), ("doc", "phone")} <= found
    assert 300 <= record.units < 1000
    assert record.units_total == 5000
    assert record.missed_bound <= 0.01
    again, _ = await scan(request)
    assert again.units == record.units
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "@example.com" not in kept
    assert "901820" not in kept
    with pytest.raises(NotFoundError, match="HL-8303"):
        await scan(ScanRequest("m", "none", database=request.database, tables=("no.such",)))


async def test_objects_of_a_bucket_are_scanned(sandbox: Stack, tmp_path: Path) -> None:
    connection = connection_from_env("aws_source", sandbox.env)
    client, bucket = s3_client(connection), f"scan-{uuid.uuid4().hex[:10]}"
    ensure_s3_bucket(client, bucket)
    large = plain_text(3 * 2**20) + CANARY.encode() + b"\n" + plain_text(2**20)
    client.put_object(Bucket=bucket, Key="p/large.txt", Body=large)
    client.put_object(Bucket=bucket, Key="p/rows.jsonl", Body=json.dumps({"mail": CANARY}).encode())
    client.put_object(Bucket=bucket, Key="other/x.txt", Body=b"8.8.4.4")
    request = ScanRequest(
        migration="m", subject="b", place=Place(Location("s3", bucket, "p/"), connection),
        evidence_url=tmp_path.as_uri(),
    )  # fmt: skip
    record, _ = await scan(request)
    assert [(each.column, each.entity, each.hits) for each in record.found] == [
        ("", "email", 1),
        ("mail", "email", 1),
    ]
    assert record.complete


def test_a_killed_scan_leaves_nothing(tmp_path: Path) -> None:
    folder, evidence = tmp_path / "data", tmp_path / "evidence"
    folder.mkdir()
    evidence.mkdir()
    line = json.dumps({"mail": CANARY}).encode() + b"\n"
    (folder / "a.jsonl").write_bytes(line * 1_500_000)
    command = [
        *(sys.executable, "-m", "heavylift", "compliance", "scan", folder.as_uri()),
        *("--everything", "--evidence", evidence.as_uri()),
    ]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "include"}, stderr=subprocess.PIPE)
    try:
        # It tells of its progress after some seconds: by then it is in the midst of the data.
        assert process.stderr is not None
        told = process.stderr.readline()
        assert b"units read" in told
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()  # type: ignore[union-attr]
    assert not [path for path in evidence.rglob("*") if path.is_file()]
