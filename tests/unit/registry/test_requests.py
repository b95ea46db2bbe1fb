"""The request that a spec's registry makes, and the way that is chosen for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import NotFoundError, UnsupportedError
from heavylift.evidence.records import RunKey
from heavylift.registry.paths import choose_path
from heavylift.registry.requests import RegistryRequest, registry_request
from heavylift.registry.store.catalog import StoreTable, in_order
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_data import Registry, RegistryKind, RegistryPath
from heavylift.spec.vocabulary import Deletes


def request(**fields: Any) -> RegistryRequest:
    side = {"connection": "server", "store_connection": "store"}
    registry = Registry.model_validate(
        {
            "name": "history",
            "source": {**side, "artifacts": "s3://old/a"},
            "target": {**side, "artifacts": "gs://new/b"},
            **fields,
        }
    )
    spec = MigrationSpec.model_construct(
        migration="m",
        registries=(registry,),
        evidence=type("Evidence", (), {"url": None, "connection": None})(),
    )
    run = RunKey(migration="m", phase="registry", run="r")
    return registry_request(spec, "history", run, lambda name: Connection(name, "postgres", host="h"))


def test_a_spec_says_everything() -> None:
    made = request(deletes="propagate")
    assert made.id == "m/history"
    assert made.options.deletes is Deletes.PROPAGATE
    assert made.options.uris.pairs == (("s3://old/a", "gs://new/b"),)
    assert made.source.store is not None
    assert choose_path(made).path == "store"


def test_a_part_of_a_registry_cannot_move_yet() -> None:
    with pytest.raises(UnsupportedError, match="HL-7103"):
        request(experiments=["a*"])


def test_a_registry_that_is_not_in_the_spec() -> None:
    spec = MigrationSpec.model_construct(migration="m", registries=())
    with pytest.raises(NotFoundError, match="HL-7102"):
        registry_request(
            spec, "x", RunKey(migration="m", phase="registry", run="r"), lambda _: pytest.fail("asked")
        )


@pytest.mark.parametrize("side", ["source", "target"])
def test_without_both_databases_the_interface_is_the_way(side: str) -> None:
    asked = request()
    store_only = asked.options
    made = replace(asked, options=replace(asked.options, path=RegistryPath.AUTO))
    place = getattr(made, side)
    lacking = f"no connection to the database behind the {side}"
    without = replace(made, **{side: replace(place, store=None)})
    choice = choose_path(without)
    assert choice.path == "api"
    assert lacking in choice.reason
    with pytest.raises(UnsupportedError, match=lacking):
        choose_path(replace(without, options=store_only))
    other = replace(made, **{side: replace(place, store=Connection("s", "mssql", host="x"))})
    assert choose_path(other).path == "api"
    with pytest.raises(UnsupportedError, match=r"a .* store of type .mssql."):
        choose_path(replace(other, options=store_only))


@pytest.mark.parametrize("kind", ["sqlite", "mysql", "mariadb"])
def test_what_is_staged_may_be_a_source_and_no_target(kind: str) -> None:
    made = request()
    store = Connection("s", kind, host="x")
    choice = choose_path(replace(made, source=replace(made.source, store=store)))
    assert choice.path == "store"
    assert "staged in the target's database" in choice.reason
    turned = replace(made, target=replace(made.target, store=store))
    with pytest.raises(UnsupportedError, match=rf"a target store of type .{kind}.*interface.*--path api"):
        choose_path(turned)
    by_itself = replace(turned, options=replace(made.options, path=RegistryPath.AUTO))
    assert choose_path(by_itself).path == "api"


def test_what_this_version_does_not_do_is_refused() -> None:
    made = request()
    assert choose_path(replace(made, options=replace(made.options, path=RegistryPath.API))).path == "api"
    with pytest.raises(UnsupportedError, match="kind 'vertex'"):
        choose_path(replace(made, target=replace(made.target, kind=RegistryKind.VERTEX)))


def table(name: str, *parents: str) -> StoreTable:
    return StoreTable(name, (), ("id",), 0, 0, frozenset(parents))


def test_tables_come_after_what_they_refer_to() -> None:
    tables = [table("a", "b"), table("b", "c"), table("c", "c"), table("d", "a", "c"), table("e")]
    order = [each.name for each in in_order({each.name: each for each in tables})]
    assert sorted(order) == ["a", "b", "c", "d", "e"]
    assert order.index("c") < order.index("b") < order.index("a") < order.index("d")


def test_references_in_a_circle_end() -> None:
    tables = [table("a", "b"), table("b", "a"), table("c", "a")]
    assert len(in_order({each.name: each for each in tables})) == 3
