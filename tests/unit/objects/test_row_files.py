"""Rows on their way into Parquet and back: nothing is lost, whatever they hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.objects.row_files import INTEGER, TEXT, database, insert_rows, read_rows, write_rows

COLUMNS = {"a": TEXT, "b": INTEGER, "c": TEXT}
ODD = st.text(alphabet=st.sampled_from(list("ab,\"'\\ \t\r\n;~\x00\x01\x1f\x7fé東𝄞\u2028\ufeff")), max_size=8)
WORDS = ODD | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ROWS = st.lists(
    st.tuples(
        WORDS,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | WORDS | st.sampled_from(["NULL", "\\N", "~", "~~", ""]),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_rows_come_back_as_they_were(rows: list[tuple[str, int | None, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "it's.parquet"
        write_rows(path, COLUMNS, list(zip(*rows, strict=True)))
        found = read_rows(path, COLUMNS)
        assert sorted(found, key=repr) == sorted(rows, key=repr)
        assert sorted(p.name for p in Path(folder).iterdir()) == ["it's.parquet"]


def test_many_plain_rows_and_one_odd_one(tmp_path: Path) -> None:
    rows = [(f"data/{n:06d}", n, "etag") for n in range(50_000)] + [("a,b\n", 1, None)]
    path = tmp_path / "rows.parquet"
    write_rows(path, COLUMNS, list(zip(*rows, strict=True)))
    assert len(read_rows(path, ["a"])) == 50_001
    assert read_rows(path, ["a", "c"], "b = ? ORDER BY a", 1) == [("a,b\n", None), ("data/000001", "etag")]


def test_rows_of_text_go_into_a_table() -> None:
    rows = [("plain", None), ("with,comma", "x"), ("", "~"), ("zero\x00", "line\nbreak")]
    with database() as db:
        db.execute("CREATE TEMP TABLE kept (one VARCHAR, other VARCHAR)")
        insert_rows(db, "kept", rows)
        insert_rows(db, "kept", [])
        assert sorted(db.execute("FROM kept").fetchall(), key=repr) == sorted(rows, key=repr)


def test_one_column_alone_keeps_what_is_missing() -> None:
    with database() as db:
        db.execute("CREATE TEMP TABLE alone (one VARCHAR)")
        insert_rows(db, "alone", [("a",), (None,), ("",), ("b,c",)])
        found = db.execute("FROM alone").fetchall()
    assert sorted(found, key=repr) == sorted([("a",), (None,), ("",), ("b,c",)], key=repr)


def test_whole_columns_may_be_missing_the_same_or_decimal_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    words = ["x", "y"]
    write_rows(path, {"a": TEXT, "b": INTEGER, "c": TEXT, "d": TEXT}, [words, ["7", "-12"], None, words])
    assert read_rows(path, "abcd") == [("x", 7, None, "x"), ("y", -12, None, "y")]
    write_rows(path, COLUMNS, [["~", "~"], [None, None], ["", ""]])
    assert read_rows(path, COLUMNS) == [("~", None, ""), ("~", None, "")]
    with pytest.raises(ValueError, match="equally long"):
        write_rows(path, COLUMNS, [["a", "b"], [1], None])
