"""Walking in bounded memory and in byte order."""

from __future__ import annotations

import inspect
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.errors import CredentialError, PreconditionError
from heavylift.platforms.local import listing
from heavylift.platforms.local.listing import Walk

NAMES = ["a", "a b", "a!", "a-b", "a.b", "a0", "ab", "é", "日", "😀", "\uffee", "z"]
KEYS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)


def walk(root: Path, prefix: str = "", after: str = "", batch: int = 2) -> list[str]:
    pages = Walk(str(root), prefix, after, {}, batch=batch).pages()
    return [item.key for page in pages for item in page]


@settings(max_examples=60, deadline=None)
@given(
    wanted=st.sets(KEYS, max_size=12),
    prefix=st.sampled_from(["", "a", "a/", "a b/", "a/a", "é/", "none/"]),
    after=st.one_of(st.just(""), KEYS, KEYS.map(lambda key: key + "/")),
    batch=st.integers(1, 3),
)
def test_a_walk_is_the_sorted_and_filtered_set_of_keys(
    tmp_path_factory: pytest.TempPathFactory, wanted: set[str], prefix: str, after: str, batch: int
) -> None:
    root = tmp_path_factory.mktemp("root")
    keys = {key for key in wanted if not any(other.startswith(key + "/") for other in wanted)}
    for key in keys:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    expected = [
        key
        for key in sorted(keys, key=str.encode)
        if key.startswith(prefix) and key.encode() > after.encode()
    ]
    assert walk(root, prefix, after, batch) == expected
    shutil.rmtree(root)


def test_pages_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 3)
    for number in range(8):
        (tmp_path / str(number)).touch()
    pages = list(Walk(str(tmp_path), "", "", {}).pages())
    assert [len(page) for page in pages] == [3, 3, 2]


def test_a_tree_deeper_than_pythons_calls_is_walked(tmp_path: Path) -> None:
    depth = 200
    (tmp_path / ("d/" * depth)).mkdir(parents=True)
    (tmp_path / ("d/" * depth) / "f").touch()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        found = walk(tmp_path)
    finally:
        sys.setrecursionlimit(limit)
    assert found == ["d/" * depth + "f"]


def test_unfinished_writes_are_no_objects(tmp_path: Path) -> None:
    (tmp_path / ".heavylift-0123456789abcdef0123456789abcdef.tmp").touch()
    hidden = tmp_path / ".heavylift-0123456789abcdef0123456789abcdef.upload"
    hidden.mkdir()
    (hidden / "whole").touch()
    (tmp_path / ".heavylift-notes").touch()
    assert walk(tmp_path) == [".heavylift-notes"]


def test_a_root_that_is_replaced_meanwhile_makes_the_listing_fail(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(3):
        (root / str(number)).touch()
    pages = Walk(str(root), "", "", {}, batch=1).pages()
    root.rename(tmp_path / "moved")
    root.mkdir()
    first = Walk(str(root), "", "", {}).pages()
    assert list(first) == []
    walking = Walk(str(tmp_path / "moved"), "", "", {}, batch=1)
    objects = walking._objects()
    next(objects)
    (tmp_path / "moved").rename(tmp_path / "again")
    (tmp_path / "moved").mkdir()
    with pytest.raises(PreconditionError):
        list(objects)
    assert list(pages) == []


def test_a_folder_that_vanishes_meanwhile_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").touch()
    (tmp_path / "a").touch()
    (tmp_path / "c").touch()
    objects = Walk(str(tmp_path), "", "", {})._objects()
    assert next(objects).key == "a"
    shutil.rmtree(tmp_path / "b")
    assert [item.key for item in objects] == ["c"]


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b").mkdir()
    real = os.scandir

    def refuse(folder: int):
        if os.path.samestat(os.fstat(folder), os.stat(tmp_path / "b")):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CredentialError):
        walk(tmp_path)
