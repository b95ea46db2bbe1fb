"""Scans of files: every format by column, drawn parts with their bound, and nothing that leaks."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.compliance.requests import ScanRequest
from heavylift.compliance.scanning import scan, share_interval
from heavylift.compliance.units import BLOCK_BYTES
from heavylift.evidence.compliance_records import ScanRecord
from heavylift.locations import Location
from heavylift.platforms.places import Place
from tests.support.personal_data import plain_text

SECRETS = ("joe.canary@example.com", "4111111111111111", "123-45-6780", "Canary", "1980-02-03", "5551212")


async def scanned(folder: Path, store: Path, **more: object) -> ScanRecord:
    request = ScanRequest(
        migration="m", subject="people", place=Place(Location("file", str(folder))),
        evidence_url=store.as_uri(), **more,  # type: ignore[arg-type]
    )  # fmt: skip
    record, _ = await scan(request)
    return record


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_text(
        "id,mail,full_name,dob,amount\n"
        '1,joe.canary@example.com,"Joe\nCanary",1980-02-03,4.5\n2,,Ann Canary,1981-02-03,\nbroken,row,only\n'
    )
    line = json.dumps({"user": {"card": "4111111111111111", "tags": [{"ssn": "123-45-6780"}]}, "n": 1})
    (folder / "b.jsonl").write_text(line + "\nnot json joe.canary@example.com\n")
    (folder / "c.json.gz").write_bytes(gzip.compress((line + "\n").encode()))
    (folder / "d.txt").write_text("call (212) 555-1212 or 8.8.4.4\n")
    (folder / "e.json").write_text(json.dumps({"rows": [{"mail": "joe.canary@example.com"}]}, indent=1))
    table = {
        "ssn": [123456780.0, None], "s": [{"card": "4111111111111111"}, None], "f": [0.5, 0.25],
        "photo": [b"\x89PNG\xff", b"\x00\xff"], "cat": pa.array(["a", "b"]).dictionary_encode(),
    }  # fmt: skip
    pq.write_table(pa.table(table), folder / "p.parquet")
    return folder


async def test_every_format_is_told_by_column(data: Path, tmp_path: Path) -> None:
    record = await scanned(data, tmp_path / "evidence")
    found = {(each.column, each.entity) for each in record.found}
    assert {
        ("mail", "email"), ("dob", "date_of_birth"), ("full_name", "person_name"),
        ("user.card", "credit_card"), ("user.tags[].ssn", "us_ssn"), ("ssn", "us_ssn"),
        ("s.card", "credit_card"), ("rows[].mail", "email"), ("", "email"), ("", "phone"), ("", "ip_address"),
    } <= found  # fmt: skip
    assert record.everything
    assert record.missed_bound == 0.0
    assert record.complete
    assert record.unparsed_rows == 2
    assert record.classes == ("financial", "personal")
    assert {each.what for each in record.not_scanned} == {"column of type double", "column of type binary"}


async def test_no_value_reaches_the_evidence(data: Path, tmp_path: Path) -> None:
    (data / "joe.canary@example.com.txt").write_text("123-45-6780\n")
    (data / "headless.csv").write_text("joe.canary@example.com,123-45-6780\nx@example.com,123-45-6781\n")
    (data / "keys.jsonl").write_text('{"joe.canary@example.com": {"4111111111111111": 1}}\n')
    await scanned(data, tmp_path / "evidence")
    files = [path for path in (tmp_path / "evidence").rglob("*") if path.is_file()]
    assert files
    for path in files:
        kept = path.read_text()
        assert not [secret for secret in SECRETS if secret in kept]


async def test_parts_are_drawn_and_the_bound_is_three_in_n(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "large.txt").write_bytes(plain_text(12 * BLOCK_BYTES))
    first = await scanned(folder, tmp_path / "evidence", bound=0.5)
    assert (first.units, first.units_total, first.everything) == (6, 13, False)
    assert first.missed_bound == 0.5
    assert 5 * BLOCK_BYTES < first.bytes_read < 7 * BLOCK_BYTES
    again = await scanned(folder, tmp_path / "evidence", bound=0.5)
    assert again.values == first.values
    assert (await scanned(folder, tmp_path / "evidence", bound=0.5, everything=True)).everything


async def test_a_record_across_blocks_is_seen_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    filler = b"x" * 99 + b"\n"
    before = filler * ((BLOCK_BYTES - 10) // 100)
    pad = b"y" * (BLOCK_BYTES - 10 - len(before) - 1) + b"\n"
    (folder / "a.txt").write_bytes(before + pad + b"joe.canary@example.com\n" + filler * 20_000)
    record = await scanned(folder, tmp_path / "evidence")
    assert [(each.entity, each.hits) for each in record.found] == [("email", 1)]


async def test_one_endless_line_is_read_to_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"x " * (2 * BLOCK_BYTES) + b"joe.canary@example.com")
    record = await scanned(folder, tmp_path / "evidence")
    assert [each.entity for each in record.found] == ["email"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"PAR1 no parquet"),
        ("a.csv.gz", gzip.compress(b"a,b\n" * 9999)[:-9]),
        ("a.txt", "joe@example.com".encode("utf-16")),
        ("a.docx", b"PK"),
    ],
)
async def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).write_bytes(content)
    (folder / "fine.txt").write_text("nothing here\n")
    record = await scanned(folder, tmp_path / "evidence")
    assert not record.complete
    assert [each.count for each in record.not_scanned] == [1]


async def test_numbers_that_pass_by_chance_are_no_cards(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    rows = "\n".join(str(4_000_000_000_000_000 + 7919 * index) for index in range(2000))
    (folder / "orders.csv").write_text(f"order_no\n{rows}\n")
    record = await scanned(folder, tmp_path / "evidence")
    assert not record.found
    assert [(each.entity, each.confidence) for each in record.unsure] == [("credit_card", 0.3)]


def test_the_interval_of_a_share() -> None:
    low, high = share_interval(0, 100)
    assert (low, round(high, 3)) == (0.0, 0.037)
    assert share_interval(0, 0) == (0.0, 1.0)
