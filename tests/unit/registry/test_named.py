"""A version is found by its name in a registry of any kind, or what is in the way is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import NotFoundError, UnsupportedError
from heavylift.platforms.registered import Publication, Registered
from heavylift.registry.catalogues.description import Container, Model, Version
from heavylift.registry.catalogues.marks import Origin
from heavylift.registry.catalogues.ports import HeldModel, HeldVersion
from heavylift.registry.named import CatalogueModels


def version(number: str, *containers: Container, origin: Origin | None = None) -> HeldVersion:
    return HeldVersion(Version(number, containers=containers), {}, origin)


FOLDER = Container(artifact="s3://models/fraud/7", packing="folder")
ORIGIN = Origin("mlflow", "m/history", "fraud", "3")
HELD = HeldModel(
    Model("fraud", aliases={"champion": "7"}),
    {},
    versions=(
        version("7", FOLDER),
        version("8", Container(artifact="s3://models/model.tar.gz", packing="archive")),
        version("9", FOLDER, FOLDER),
        version("10", Container(artifact="models:/other", packing="folder")),
        version("11", FOLDER, origin=ORIGIN),
    ),
)


class Stub:
    """A registry that holds one model."""

    capabilities: Any = SimpleNamespace(version=SimpleNamespace(pairs=None))

    async def read(self) -> list[HeldModel]:
        return [HELD]


REGISTRY = CatalogueModels(Stub(), "sagemaker")  # type: ignore[arg-type]


def found(number: str, alias: str = "", copied_by: str = "", name: str = "fraud") -> str:
    wanted = Registered(name, number, alias, Connection("aws", "aws"), copied_by=copied_by)
    made = asyncio.run(REGISTRY.find(wanted))
    return f"{made} {made.uri}"


def test_a_number_an_alias_and_a_copy_are_found() -> None:
    assert found("7") == "models:/fraud/7 s3://models/fraud/7"
    assert found("", alias="champion") == "models:/fraud/7 s3://models/fraud/7"
    assert found("3", copied_by="m/history").startswith("models:/fraud/11 ")


@pytest.mark.parametrize(
    ("number", "more", "words"),
    [
        ("12", {}, "7802"),
        ("", {"alias": "nobody"}, "7802"),
        ("7", {"name": "churn"}, "7802"),
        ("4", {"copied_by": "m/history"}, "the copy of models:/fraud/4 by 'm/history'.*7802"),
        ("8", {}, "packed as 'archive'.*unpack.*7803"),
        ("9", {}, "2 containers.*7803"),
        ("10", {}, "models:/other.*7804"),
    ],
)
def test_what_is_in_the_way_is_told(number: str, more: dict[str, str], words: str) -> None:
    with pytest.raises((NotFoundError, UnsupportedError), match=words):
        found(number, **more)


def test_new_versions_are_made_in_mlflow_only() -> None:
    publication = Publication({"a": "b"}, {}, "")
    with pytest.raises(UnsupportedError, match=r"name a folder.*7812"):
        asyncio.run(REGISTRY.publish("fraud", Path("/nowhere"), (), publication))
