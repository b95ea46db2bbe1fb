"""A history that is hard to carry arrives whole, and whatever differs of a copy is found by its name."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.evidence.registry_records import RegistryDifference
from heavylift.registry.settling import Judgement
from heavylift.registry.uris import uri_map
from heavylift.registry.verifying import compare_servers
from heavylift.registry.ways import way_of
from heavylift.registry.work import Work
from heavylift.spec.sections_data import RegistryPath
from sandbox.stack import Stack
from tests.support.history import V2, V3
from tests.support.hostile import Hostile
from tests.support.hostile_history import fill_hostile
from tests.support.interface_moves import Moves
from tests.support.planted_further import Found
from tests.support.planted_history import Planting
from tests.support.stores import two_stores
from tests.support.tracking_server import Server, servers

KEPT = uri_map([])
pytestmark = pytest.mark.long

LOST = {
    ("gateway secret", "all"): 1,
    ("issue", "all"): 1,
    ("model version", "its source"): 6,
    ("model version", "its status FAILED_REGISTRATION"): 1,
    ("review queue", "all"): 1,
    ("trace", "its spans"): 1,
    ("webhook", "its secret and that it is active"): 3,
}
"""What the interface does not carry of such a history, each told with its number."""


@pytest.fixture(scope="module", params=[1])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Hostile, Server]]:
    with servers(tmp_path_factory.mktemp("hostile"), "source", "target") as (source, target):
        yield fill_hostile(source, request.param), target


def found(differences: tuple[RegistryDifference, ...] | list[RegistryDifference]) -> set[Found]:
    return {(each.what, each.id, field) for each in differences for field in each.fields or (each.kind,)}


def test_it_arrives_through_the_interfaces_and_each_planted_difference_is_named(
    filled: tuple[Hostile, Server],
) -> None:
    made, target = filled
    moves = Moves(made.server.connection, target.connection)
    looked = moves.look(dry_run=True)
    assert looked.passed, looked.findings
    record, ids = moves.copy()
    assert [(each.what, each.id, each.reason) for each in record.failures] == []
    assert {(each.what, each.item): each.count for each in record.losses if each.count} == LOST
    # Which sources a server refuses shows when it does.
    assert {*looked.losses} == {each for each in record.losses if each.item != "its source"}
    proof = moves.verify()
    assert proof.passed, proof.differences
    before = target.dump()
    again, _ = moves.copy(accept_losses=True)
    assert (again.written, again.failures) == (0, ())
    assert moves.sync(deletes="propagate").written == 0
    assert target.dump() == before
    maps = {
        "run": ids.runs,
        "experiment": ids.experiments,
        "logged model": ids.logged_models,
        "evaluation dataset": ids.evaluation_datasets,
    }
    planting = Planting(
        made.server,
        target,
        lambda kind, name: maps.get(kind, {}).get(name, name),
        lambda name: f"tags.{name}",
    )
    wanted = planting.plant()
    wanted |= _planted_files(target.artifacts, made, planting.actual)
    assert wanted - found(moves.verify().differences) == set()


def test_in_a_copy_that_keeps_its_ids_each_planted_difference_is_named(
    filled: tuple[Hostile, Server],
) -> None:
    made, target = filled
    target.clear()
    with (
        closing(sqlite3.connect(made.server.database)) as ours,
        closing(sqlite3.connect(target.database)) as theirs,
    ):
        ours.backup(theirs)
    shutil.copytree(made.server.artifacts, target.artifacts, dirs_exist_ok=True)
    request = Moves(made.server.connection, target.connection).request()
    request = replace(request, options=replace(request.options, path=RegistryPath.STORE))
    assert run(compare_servers(request, Work(), Judgement())).differences == []
    planting = Planting(made.server, target, lambda _, name: name, lambda name: f"tags[{name}]")
    wanted = planting.plant()
    wanted |= _planted_files(target.artifacts, made, planting.actual)
    assert len({(what, field) for what, _, field in wanted}) > 55
    assert wanted - found(run(compare_servers(request, Work(), Judgement())).differences) == set()


def _planted_files(artifacts: Path, made: Hostile, actual: Callable[[str, str], str]) -> set[Found]:
    run_, model = made.runs[0][0], made.models[0]
    place = next(artifacts.glob(f"*/{actual('run', run_)}/artifacts"))
    (place / "ü" / "漢字.json").write_bytes(b"0 \xc3\xbc/\xe6\xbc\xa2\xe5\xad\x97.jsoN")
    (place / "plain.txt").unlink()
    (place / "deep" / "more").write_bytes(b"")
    next(artifacts.glob(f"*/models/{actual('logged model', model)}/artifacts/MLmodel")).unlink()
    next(artifacts.glob(f"*/traces/{made.traces[6]}/artifacts/traces.json")).write_bytes(b"{}")
    return {
        ("artifact", f"run {run_}: ü/漢字.json", "content"),
        ("artifact", f"run {run_}: plain.txt", "missing"),
        ("artifact", f"run {run_}: deep/more", "extra"),
        ("artifact", f"logged model {model}: MLmodel", "missing"),
        ("trace", made.traces[6], "spans (their file)"),
    }


def test_what_changes_between_runs_follows(filled: tuple[Hostile, Server]) -> None:
    made, target = filled
    target.clear()
    moves = Moves(made.server.connection, target.connection)
    moves.copy()
    _changes(made)
    record = moves.sync(deletes="propagate")
    assert [(each.what, each.id) for each in record.failures] == []
    proof = moves.verify()
    assert proof.passed, proof.differences
    before = target.dump()
    assert moves.sync(deletes="propagate").written == 0
    assert target.dump() == before


def _changes(made: Hostile) -> None:
    """Delete, restore, rename, move and empty what there is."""
    sql, ask = made.server.sql, made.ask
    (gone,), (back,) = sql("SELECT experiment_id FROM experiments WHERE name LIKE 'deleted %' ORDER BY name")
    ask("POST", f"{V2}/experiments/restore", {"experiment_id": str(gone)})
    ask("POST", f"{V2}/experiments/delete", {"experiment_id": str(back)})
    first, second = made.experiments[0], made.experiments[1]
    ask("POST", f"{V2}/experiments/update", {"experiment_id": first, "new_name": "renamed 🧪\n%"})
    ask("POST", f"{V2}/experiments/delete", {"experiment_id": second})
    ((name,),) = sql("SELECT name FROM experiments WHERE experiment_id = ?", second)
    ask("POST", f"{V2}/experiments/create", {"name": f"{name} "})
    ask("POST", f"{V2}/runs/restore", {"run_id": made.runs[3][0]})
    ask("POST", f"{V2}/runs/delete", {"run_id": made.runs[6][0]})
    run_ = made.runs[4][0]
    ask("POST", f"{V2}/runs/set-tag", {"run_id": run_, "key": "long", "value": ""})
    ask("POST", f"{V2}/runs/delete-tag", {"run_id": run_, "key": "empty"})
    point = {"key": "loss", "value": "-Infinity", "timestamp": 9, "step": -9}
    ask("POST", f"{V2}/runs/log-batch", {"run_id": run_, "metrics": [point]})
    trace = made.traces[0]
    (assessment,) = sql(
        "SELECT assessment_id FROM assessments WHERE trace_id = ? ORDER BY rowid LIMIT 1", trace
    )[0]
    ask("DELETE", f"{V3}/traces/{trace}/assessments/{assessment}")
    ask("PATCH", f"{V3}/traces/{trace}/tags", {"key": "long", "value": ""})
    names = [row[0] for row in sql("SELECT name FROM registered_models WHERE name LIKE '% m' ORDER BY rowid")]
    ask("POST", f"{V2}/registered-models/alias", {"name": names[0], "alias": "champion", "version": "4"})
    ask("DELETE", f"{V2}/registered-models/alias", {"name": names[1], "alias": "moved"})
    ask("DELETE", f"{V2}/model-versions/delete", {"name": names[2], "version": "3"})
    ask("POST", f"{V2}/model-versions/create", {"name": names[2], "source": "s3://new/one"})
    ask("POST", f"{V2}/registered-models/rename", {"name": names[3], "new_name": "renamed 漢字"})
    ask("DELETE", f"{V2}/registered-models/delete", {"name": "none"})
    ((dataset,),) = sql("SELECT dataset_id FROM evaluation_datasets WHERE name LIKE 'golden % 1'")
    linked = f"{V3}/datasets/{dataset}"
    ask("POST", f"{linked}/add-experiments", {"experiment_ids": [made.experiments[2]]})
    ask("POST", f"{linked}/remove-experiments", {"experiment_ids": [made.experiments[0]]})
    scorer = {"experiment_id": made.experiments[2], "name": "relevance", "version": 1}
    ask("DELETE", f"{V3}/scorers/delete", scorer)


def test_it_moves_between_databases_with_every_table_equal(
    filled: tuple[Hostile, Server], store_sandbox: Stack
) -> None:
    made, _ = filled
    file = Connection("sqlite_file", "sqlite", host=str(made.server.database))
    with two_stores(store_sandbox.env, sizes=None) as stores:
        first = replace(stores, source=file, target=stores.source)
        for pair in (first, stores):
            request = pair.request(uris=KEPT, deletes="propagate")
            way = way_of(request)
            assert way.move(request, Work(), "copy").written > 1000
            assert way.move(request, Work(), "sync").written == 0
            assert way.prove is not None
            proofs = way.prove(request)
            assert [each.table for each in proofs if not each.equal] == []
            assert len(proofs) > 55
        stores.assert_equal(KEPT)
        stores.on_target("UPDATE assessments SET rationale = rationale || ' ' WHERE rationale IS NOT NULL")
        request = stores.request(uris=KEPT)
        assert way.prove is not None
        assert [each.table for each in way.prove(request) if not each.equal] == ["assessments"]
