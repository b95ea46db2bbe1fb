"""Files below a server's own root are asked for by their path; where that is refused, by their owner's id."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import MethodType, SimpleNamespace
from typing import Any, cast

import pytest

from heavylift.aio import run
from heavylift.checksums import Algorithm, Checksums
from heavylift.connections import Connection
from heavylift.errors import CredentialError, HeavyliftError, NotFoundError, TransientError
from heavylift.platforms.ports import ListedObject
from heavylift.registry.interface.artifacts import Artifacts, Place
from heavylift.registry.interface.context import Context, Tally
from heavylift.registry.rest.artifacts import PROXY, Owner, folder_behind

FOLDERS: Mapping[str, list[dict[str, Any]]] = {
    "7/r/artifacts": [
        {"path": "MLmodel", "is_dir": False, "file_size": 3},
        {"path": "d é", "is_dir": True},
    ],
    "7/r/artifacts/d é": [{"path": "x%2F?.bin", "is_dir": False, "file_size": 5}],
}


class Server:
    """A server that tells the files of one run, by both routes or by one."""

    name = "source"

    def __init__(self, refusal: HeavyliftError | None = None) -> None:
        self.refusal = refusal
        self.asked: list[str] = []

    async def get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        self.asked.append(path)
        if self.refusal is not None:
            raise self.refusal
        return {"files": FOLDERS.get(query["path"], [])}

    async def pages(
        self, path: str, _field: str, _query: Mapping[str, Any]
    ) -> AsyncIterator[list[dict[str, Any]]]:
        self.asked.append(path)
        yield [{"path": "MLmodel", "is_dir": False, "file_size": 3}]


def refused(kind: type[HeavyliftError]) -> HeavyliftError:
    return kind("get", got="no", expected="yes", state="as it was", remedy="none", code="1")


async def listed(server: Server, uri: str) -> list[tuple[Any, ...]]:
    artifacts = Artifacts(cast("Any", SimpleNamespace(source=server)))
    owner = Owner("run", "r")
    place = Place(owner, owner, uri, "mlflow-artifacts:/1/x/artifacts", fresh=True)
    found = [each async for each in artifacts._files(place)]
    # A second run of the same server.
    assert [each async for each in artifacts._files(place)] == found
    return found


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("mlflow-artifacts:/7/r/artifacts", "7/r/artifacts"),
        ("mlflow-artifacts:/own place/ü#1/", "own place/ü#1"),
        ("mlflow-artifacts:/", None),
        ("mlflow-artifacts://another:5000/7/r/artifacts", None),
        ("mlflow-artifacts:7/r", None),
        ("s3://b/7/r/artifacts", None),
        ("", None),
    ],
)
def test_which_folder_a_place_is_behind_its_server(uri: str, folder: str | None) -> None:
    assert folder_behind(uri) == folder


async def test_files_are_asked_for_by_their_path() -> None:
    server = Server()
    assert await listed(server, "mlflow-artifacts:/7/r/artifacts") == [
        ("MLmodel", 3, (f"{PROXY}/7/r/artifacts/MLmodel", {})),
        ("d é/x%2F?.bin", 5, (f"{PROXY}/7/r/artifacts/d%20%C3%A9/x%252F%3F.bin", {})),
    ]
    assert set(server.asked) == {PROXY}


@pytest.mark.parametrize(("kind", "tries"), [(NotFoundError, 1), (CredentialError, 2)])
async def test_where_that_is_not_granted_they_are_asked_for_by_id(
    kind: type[HeavyliftError], tries: int
) -> None:
    server = Server(refused(kind))
    found = await listed(server, "mlflow-artifacts:/7/r/artifacts")
    assert found == [("MLmodel", 3, ("get-artifact", {"run_uuid": "r", "path": "MLmodel"}))]
    # A right may be lacking for one folder alone; a route that is not there is there for none.
    assert server.asked.count(PROXY) == tries


async def test_a_server_that_is_away_is_told_as_such() -> None:
    with pytest.raises(TransientError):
        await listed(Server(refused(TransientError)), "mlflow-artifacts:/7/r/artifacts")


async def test_files_elsewhere_are_asked_for_by_id() -> None:
    server = Server()
    assert [each[2][0] for each in await listed(server, "s3://b/7/r/artifacts")] == ["get-artifact"]
    assert PROXY not in server.asked


def test_a_bucket_that_is_gone_does_not_hold_the_others_up(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(tally=Tally(), tell=lambda *_: None)
    context.guarded = MethodType(Context.guarded, context)
    artifacts = Artifacts(cast("Context", context), Connection("a", "aws"), Connection("b", "aws"))
    for uri in ("s3://gone/x", "s3://a/7/r/artifacts"):
        owner = Owner("run", uri)
        artifacts.add(Place(owner, owner, uri, "s3://b/1/x/artifacts", fresh=True))
    read: list[str] = []

    async def root(_artifacts: Artifacts, source: str, _target: str, _places: list[Place]) -> None:
        read.append(source)
        if "gone" in source:
            raise refused(NotFoundError)

    monkeypatch.setattr(Artifacts, "_root", root)
    run(artifacts.from_store_to_store())
    assert read == ["s3://gone/x", "s3://a/7"]
    assert [(each.what, each.id) for each in context.tally.failures] == [("artifacts", "s3://gone/x")]


class Listed:
    """A store that lists one object."""

    def __init__(self, key: str, modified_us: int, checksums: Checksums) -> None:
        self.listed = ListedObject(key, 3, "v", modified_us, checksums)

    async def list_pages(self, _prefix: str) -> AsyncIterator[list[ListedObject]]:
        yield [self.listed]


@pytest.mark.parametrize(
    ("source", "target", "due"),
    [
        ({Algorithm.MD5: "a"}, {Algorithm.MD5: "a"}, False),
        ({Algorithm.MD5: "a"}, {Algorithm.MD5: "b"}, True),
        ({Algorithm.MD5: "a"}, {Algorithm.CRC32C: "a"}, True),
        ({Algorithm.MD5: "a", Algorithm.CRC32C: "c"}, {Algorithm.MD5: "a", Algorithm.CRC32C: "d"}, True),
        ({}, {}, True),
    ],
)
def test_a_newer_file_is_copied_unless_its_listing_proves_it_equal(
    source: Checksums, target: Checksums, due: bool
) -> None:
    """On the way back each copy is newer than its origin."""
    tally = Tally()
    context = SimpleNamespace(tally=tally, parallel=1, target=SimpleNamespace(writes=False))
    context.guarded, context.each = MethodType(Context.guarded, context), MethodType(Context.each, context)
    artifacts = Artifacts(cast("Context", context), Connection("a", "aws"), Connection("b", "aws"))
    owner = Owner("run", "r")
    place = Place(owner, owner, "s3://a/7/r/artifacts", "s3://b/1/x/artifacts", fresh=False)
    ours, theirs = Listed("7/r/artifacts/f", 9, source), Listed("1/x/artifacts/f", 5, target)
    run(artifacts._below(cast("Any", ours), cast("Any", theirs), [place]))
    assert tally.sorts["artifacts"]["found"] == 1
    assert tally.sorts["artifacts"]["changed"] == int(due)
