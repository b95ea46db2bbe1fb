"""What lanes move and compare: the same at each call, and as large as it says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.benchmarks import catalog
from tests.benchmarks.objects import comparing, manifests
from tests.benchmarks.objects.checking import differences
from tests.benchmarks.objects.loads import HUGE, LARGE, MIB, MIXED, PIECE_BYTES, SMALL, key, pieces


def test_mixed_sizes_are_drawn_once_and_for_all_and_are_spread_widely() -> None:
    sizes = MIXED.sizes()
    assert sizes == MIXED.sizes()
    assert len(sizes) == 20_000
    assert sum(sizes) == pytest.approx(2_000_000_000, rel=1e-4)
    assert sorted(sizes)[len(sizes) // 2] < 20_000
    assert max(sizes) > 10 * MIB


def test_a_scaled_load_has_fewer_objects_or_smaller_large_ones() -> None:
    assert SMALL.scaled(1) is SMALL
    assert SMALL.scaled(0.05).objects == 500
    assert MIXED.scaled(0.05).total_bytes() == pytest.approx(100_000_000, rel=1e-3)
    assert (LARGE.scaled(0.5).objects, LARGE.scaled(0.5).size_bytes) == (4, 128 * MIB)
    assert HUGE.scaled(0.001).size_bytes > PIECE_BYTES


def test_contents_have_their_size_and_no_two_are_alike() -> None:
    noise = bytes(PIECE_BYTES)
    contents = [b"".join(pieces(number, size, noise)) for number in (1, 2) for size in (0, 5, 16, 999)]
    assert [len(content) for content in contents] == [0, 5, 16, 999] * 2
    # Below 16 bytes there is no room for a number.
    assert len({hashlib.sha256(content).digest() for content in contents}) == 6
    large = list(pieces(0, 2 * PIECE_BYTES + 1, noise))
    assert [len(piece) for piece in large] == [PIECE_BYTES, PIECE_BYTES, 1]
    assert large[0] != large[1]


def test_keys_are_unique() -> None:
    assert len({key(number) for number in range(1000)}) == 1000


def test_a_target_that_differs_in_anything_is_seen() -> None:
    wanted = {"a": (1, "aa"), "b": (2, "bb"), "c": (3, "cc")}
    assert differences(wanted, {"a": (1, "aa"), "b": (2, None), "c": (3, "cc")}) == []
    got = {"a": (1, "ab"), "b": (3, None), "d": (1, None)}
    assert differences(wanted, got) == ["missing c", "extra d", "different a", "different b"]


def test_two_listings_differ_as_they_are_known_to(tmp_path: Path) -> None:
    import duckdb

    old, new, rows = tmp_path / "old", tmp_path / "new", 5_000
    manifests.write(rows, old, new)
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT count(*) FILTER (o.version = n.version), count(*) FILTER (n.rel IS NULL),"
            " count(*) FILTER (o.rel IS NULL), count(*) FILTER (o.version <> n.version)"
            " FROM read_parquet($old) o FULL JOIN read_parquet($new) n USING (rel)",
            {"old": str(old), "new": str(new)},
        ).fetchone()
        keys = [
            [
                row[0]
                for row in connection.execute("SELECT rel FROM read_parquet($f)", {"f": str(f)}).fetchall()
            ]
            for f in (old, new)
        ]
    assert found == (4990, 5, 6, 5)
    assert manifests.known(rows) == manifests.Known(4990, 5, 6, 5)
    assert all(listed == sorted(listed, key=str.encode) for listed in keys)


def test_missing_and_extra_are_not_as_many_in_the_lane() -> None:
    known = manifests.known(comparing.ROWS)
    assert known == manifests.Known(19_960_000, 20_000, 20_021, 20_000)


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"comparison": it, "exit_status": 1}])
def test_counts_are_found_in_what_is_printed(wrap: object) -> None:
    assert callable(wrap)
    printed = {"equal": 1, "missing": {"objects": 2}, "extra": 3, "changed": 4}
    assert comparing.counts(wrap(printed)) == {"equal": 1, "missing": 2, "extra": 3, "changed": 4}
    assert comparing.counts(wrap({"equal": 1})) is None


def test_a_group_is_all_its_lanes() -> None:
    named = ("objects", "tables", "registry", "streams", "images", "drift", "compliance")
    groups = [lane for group in named for lane in catalog.chosen(group)]
    assert groups == catalog.chosen(None)
    assert catalog.chosen("objects-small-s3") == ["objects-small-s3"]
    assert set(catalog.chosen("objects-small")) == {
        "objects-small-s3",
        "objects-small-gcs",
        "objects-small-azure",
        "objects-small-stub",
    }
    with pytest.raises(KeyError):
        catalog.chosen("nothing")
