"""Rows that become Parquet while they come in: whole, or an error, and never waiting for each other."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from heavylift.objects import row_pipe
from heavylift.objects.row_files import INTEGER, TEXT, read_rows
from heavylift.objects.row_pipe import piped_rows

COLUMNS = {"rel": TEXT, "size_bytes": INTEGER}
MANY = 400_000


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def block(start: int, count: int) -> list[list[str]]:
    return [[f"key {n}, \n" for n in range(start, start + count)], ["7"] * count]


async def test_more_rows_than_a_pipe_holds_arrive_all(tmp_path: Path) -> None:
    path, before = tmp_path / "it's.parquet", open_files()
    async with piped_rows(path, COLUMNS) as rows:
        for start in range(0, MANY, 1000):
            rows.add(block(start, 1000))
    found = read_rows(path, ["rel"])
    assert (len(found), len(set(found))) == (MANY, MANY)
    assert open_files() == before


async def test_no_rows_at_all_are_a_file_too(tmp_path: Path) -> None:
    async with piped_rows(tmp_path / "none.parquet", COLUMNS):
        pass
    assert read_rows(tmp_path / "none.parquet", COLUMNS) == []


async def write(path: Path, rows: int, then: Exception | None = None) -> None:
    async with piped_rows(path, COLUMNS) as pipe:
        for start in range(0, rows, 1000):
            pipe.add(block(start, 1000))
        if then:
            raise then


def nothing_is_left(files: int) -> bool:
    return open_files() == files and "heavylift-rows" not in {t.name for t in threading.enumerate()}


@pytest.mark.parametrize("rows", [0, 1000, MANY])
async def test_a_file_that_cannot_be_written_is_an_error_and_nobody_waits(tmp_path: Path, rows: int) -> None:
    before = open_files()
    with pytest.raises(Exception, match="no such folder"):
        await asyncio.wait_for(write(tmp_path / "no such folder" / "x.parquet", rows), 30)
    assert nothing_is_left(before)


async def test_who_fails_between_rows_says_so_himself(tmp_path: Path) -> None:
    before = open_files()
    with pytest.raises(RuntimeError, match="the store is gone"):
        await write(tmp_path / "x.parquet", 1000, RuntimeError("the store is gone"))
    assert nothing_is_left(before)


async def test_a_reader_that_dies_in_the_middle_is_told_by_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_a_little(rows: Any, _path: Path) -> None:
        with rows.path.open("rb") as file:
            file.read(100)
        raise OSError("no space left")

    monkeypatch.setattr(row_pipe, "to_parquet", read_a_little)
    before = open_files()
    with pytest.raises(OSError, match="no space left"):
        await write(tmp_path / "x.parquet", MANY)
    assert nothing_is_left(before)
