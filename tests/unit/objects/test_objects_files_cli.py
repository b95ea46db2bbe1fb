"""``objects list`` and ``objects compare`` from a shell."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.objects.compare_files import _cuts
from heavylift.objects.row_files import INTEGER, TEXT, database, read_rows, write_rows

COLUMNS = {"rel": TEXT, "size_bytes": INTEGER, "version": TEXT}


def listed(path: Path, rows: list[tuple[str, int, str]]) -> Path:
    write_rows(path, COLUMNS, list(zip(*rows, strict=True)) if rows else [[], [], []])
    return path


def test_a_folder_is_listed_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "x,y.txt").write_bytes(b"123")
    (root / "b.txt").write_bytes(b"12345")
    output = tmp_path / "listing.parquet"
    assert run(app, ["objects", "list", f"file://{root}", "--output", str(output), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["total"] == {"objects": 2, "size_bytes": 8}
    assert sorted(read_rows(output, ["rel", "size_bytes"])) == [("a/x,y.txt", 3), ("b.txt", 5)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["listing.parquet", "root"]


def test_a_listing_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    output = tmp_path / "listing.parquet"
    output.write_bytes(b"old")
    assert run(app, ["objects", "list", f"file://{tmp_path}/missing", "--output", str(output)]) != 0
    assert output.read_bytes() == b"old"


def test_differences_are_counted_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = [(f"k{n:04d}", n, "v") for n in range(1000)]
    old = listed(tmp_path / "old.parquet", [*same, ("gone", 1, "v"), ("é\n", 1, "v"), ("bigger", 1, "v")])
    new = listed(tmp_path / "new.parquet", [*same, ("new", 1, "v"), ("é\n", 1, "w"), ("bigger", 2, "v")])
    output = tmp_path / "differ.parquet"
    command = ["objects", "compare", str(old), str(new), "--output", str(output), "--json"]
    assert run(app, command) == 1
    found = json.loads(capsys.readouterr().out)["difference"]
    assert (found["equal"], found["missing"], found["extra"], found["changed"]) == (1000, 1, 1, 2)
    kinds = dict(read_rows(output, ["rel", "kind"]))
    assert kinds == {"gone": "missing", "new": "extra", "é\n": "changed", "bigger": "changed"}
    assert run(app, ["objects", "compare", str(old), str(old)]) == 0


def test_slices_find_what_one_pass_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heavylift.objects.compare_files.SLICE_ROWS", 5_000)
    rows = [(f"key/{n:08d}", n, "v") for n in range(40_000)]
    old = listed(tmp_path / "old.parquet", rows)
    new = listed(tmp_path / "new.parquet", [row for n, row in enumerate(rows) if n % 1000])
    assert run(app, ["objects", "compare", str(old), str(new), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["difference"]
    assert (found["equal"], found["missing"], found["extra"], found["changed"]) == (39_960, 40, 0, 0)


@pytest.mark.parametrize("order", ["rel", "size_bytes % 7, rel"])
@pytest.mark.parametrize("group", [2_048, 122_880])
def test_slices_are_equally_long_however_the_file_is_built(
    order: str, group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heavylift.objects.compare_files.SLICE_ROWS", 20_000)
    path = listed(tmp_path / "long.parquet", [(f"key/{n:08d}", n, "v") for n in range(60_000)])
    built = tmp_path / "built.parquet"
    with database() as db:
        query = f"FROM read_parquet('{path}') ORDER BY {order}"
        db.execute(f"COPY ({query}) TO '{built}' (FORMAT parquet, ROW_GROUP_SIZE {group})")
        cuts = [int(key[4:]) for key in _cuts(db, built, 60_000)]
    ends = pairwise([0, *cuts, 60_000])
    assert max(end - start for start, end in ends) <= 21_000
    assert len(cuts) in {2, 3}


@pytest.mark.parametrize("content", [b"", b"no parquet at all"])
def test_what_is_no_listing_is_refused(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    good = listed(tmp_path / "good.parquet", [("k", 1, "v")])
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(content)
    assert run(app, ["objects", "compare", str(good), str(bad)]) == 2
    assert "bad.parquet" in capsys.readouterr().err
