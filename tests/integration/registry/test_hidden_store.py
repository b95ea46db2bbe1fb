"""What only a route of its own tells, of things whose lists do not tell it."""

from __future__ import annotations

import json
import sqlite3
import tracemalloc
from contextlib import closing
from dataclasses import replace

import pytest

from heavylift.aio import run
from heavylift.evidence.registry_records import RegistryDifference
from heavylift.registry.interface import links
from heavylift.registry.settling import Judgement
from heavylift.registry.verifying import compare_servers
from heavylift.registry.work import Work
from heavylift.spec.sections_data import RegistryPath
from tests.support import history
from tests.support.history import V2, V3
from tests.support.interface_moves import Moves
from tests.support.tracking_server import Server

TRACE = f"tr-{(bytes([1]) * 16).hex()}"
SCHEMA = {"type": "FEEDBACK", "instruction": "say", "enable_comment": True, "input": {"text": {}}}


def named(moves: Moves) -> set[tuple[str, str, tuple[str, ...]]]:
    """Return what is found where both servers are compared as they are, as after a copy by the databases."""
    request = moves.request()
    request = replace(request, options=replace(request.options, path=RegistryPath.STORE, artifacts=False))
    return by_name(run(compare_servers(request, Work(), Judgement())).differences)


def by_name(found: list[RegistryDifference]) -> set[tuple[str, str, tuple[str, ...]]]:
    """Return each difference's sort and id, and its fields, or what kind it is."""
    return {(each.what, each.id, each.fields or (each.kind,)) for each in found}


def put_whole(source: Server, target: Server) -> None:
    """Make the target's database what the source's is."""
    with (
        closing(sqlite3.connect(source.database)) as ours,
        closing(sqlite3.connect(target.database)) as there,
    ):
        ours.backup(there)


def test_where_a_versions_files_lie_is_compared(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    experiment = history.experiment(source, "one")
    model = history.logged_model(source, experiment, history.run(source, experiment, 1))
    source.ask("POST", f"{V2}/registered-models/create", {"name": "m"})
    body = {"name": "m", "source": f"models:/{model}", "model_id": model}
    source.ask("POST", f"{V2}/model-versions/create", body)
    put_whole(source, target)
    moves = Moves(source.connection, target.connection)
    assert named(moves) == set()
    target.sql("UPDATE model_versions SET storage_location = 'mlflow-artifacts:/elsewhere'")
    assert named(moves) == {("model version", "m/1", ("download_uri",))}


def test_label_schemas_are_compared_and_none_is_made(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    unasked, asked = history.experiment(source, "unasked"), history.experiment(source, "asked")
    # A person has opened the page of the one: its server has made the default schema.
    source.ask("GET", f"{V3}/label-schemas/list?experiment_id={asked}")
    body = {"experiment_id": asked, "name": "good", **SCHEMA}
    made = source.ask("POST", f"{V3}/label-schemas/create", body)["label_schema"]["schema_id"]
    put_whole(source, target)
    moves = Moves(source.connection, target.connection)
    before = source.dump(), target.dump()
    assert named(moves) == set()
    assert (source.dump(), target.dump()) == before
    target.sql("UPDATE label_schemas SET instruction = 'x' WHERE schema_id = ?", made)
    assert named(moves) == {("label schema", made, ("instruction",))}
    ((default,),) = target.sql("SELECT schema_id FROM label_schemas WHERE is_default")
    target.sql("DELETE FROM label_schemas WHERE is_default")
    gone = ("label schema", default, ("missing",))
    assert named(moves) == {("label schema", made, ("instruction",)), gone}
    assert target.sql("SELECT count(*) FROM label_schemas") == [(1,)]
    assert source.sql("SELECT count(*) FROM label_schemas WHERE experiment_id = ?", int(unasked)) == [(0,)]
    # No interface of a move takes them; the default one each server makes by itself.
    lost = [(each.what, each.count) for each in moves.look().losses if each.count]
    assert lost == [("label schema", 1)]


def test_traces_that_a_run_has_judged_stay_linked_to_it(
    trackers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = trackers
    experiment = history.experiment(source, "one")
    judged, own = (history.run(source, experiment, number) for number in (1, 2))
    history.trace(source, experiment, own, 1)
    moves = Moves(source.connection, target.connection)
    moves.copy()
    link = {"trace_ids": [TRACE], "run_id": judged}
    source.ask("POST", f"{V2}/traces/link-to-run", link)
    missing = {("link of a trace to a run", f"{judged}/{TRACE}", ("missing",))}
    assert by_name(moves.verify().differences) == missing
    monkeypatch.setattr(links, "AT_REST", 0)  # fewer than there are runs: the rest is told
    assert [each.rule for each in moves.sync().findings] == ["files-not-looked-at", "links-not-looked-at"]
    monkeypatch.undo()
    assert moves.sync().written == 1
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert moves.copy()[0].written == 0
    put_whole(source, target)
    assert named(moves) == set()
    target.sql("DELETE FROM entity_associations")
    assert named(moves) == missing


def test_links_follow_a_new_trace_and_a_run_that_goes_on(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    experiment = history.experiment(source, "one")
    ended, runs_on = history.run(source, experiment, 1), history.run(source, experiment, 2, status=None)
    moves = Moves(source.connection, target.connection)
    history.trace(source, experiment, ended, 1)
    moves.copy()
    source.ask("POST", f"{V2}/traces/link-to-run", {"trace_ids": [TRACE], "run_id": runs_on})
    moves.sync()
    assert moves.verify().passed
    history.trace(source, experiment, runs_on, 2)
    second = f"tr-{(bytes([2]) * 16).hex()}"
    source.ask("POST", f"{V2}/traces/link-to-run", {"trace_ids": [second], "run_id": ended})
    moves.sync()
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert target.sql("SELECT count(*) FROM entity_associations WHERE source_type = 'trace'") == [(2,)]


def test_a_long_file_passes_through_without_being_held(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    experiment = history.experiment(source, "one")
    ran = history.run(source, experiment, 1)
    size = 48 * 2**20
    file = source.artifacts / experiment / ran / "artifacts" / "weights.bin"
    file.write_bytes(bytes(range(256)) * (size // 256))
    moves = Moves(source.connection, target.connection)
    tracemalloc.start()
    try:
        moves.copy()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (there,) = target.artifacts.rglob("weights.bin")
    assert there.read_bytes() == file.read_bytes()
    assert peak < size // 2


def test_a_run_without_a_name_has_one_given_and_is_no_difference(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    experiment = history.experiment(source, "one")
    nameless = history.run(source, experiment, 1)
    # As before MLflow 1.30, and without the tag that tells the name.
    source.sql("UPDATE runs SET name = ''")
    source.sql("DELETE FROM tags WHERE key = 'mlflow.runName'")
    moves = Moves(source.connection, target.connection)
    record, _ = moves.copy()
    lost = [(each.item, each.count, each.examples) for each in record.losses if each.count]
    assert lost == [("its empty name", 1, (nameless,))]
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert moves.copy()[0].written == 0
    source.ask("POST", f"{V2}/runs/update", {"run_id": nameless, "run_name": "now"})
    assert by_name(moves.verify().differences) == {("run", nameless, ("info.run_name",))}
    moves.sync()
    assert moves.verify().passed
    assert target.sql("SELECT name FROM runs") == [("now",)]
    assert moves.sync().written == 0


def test_a_version_on_the_sources_own_disk_holds_no_other_up(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    source.ask("POST", f"{V2}/registered-models/create", {"name": "m"})
    for number in range(3):
        body = {"name": "m", "source": f"s3://x/{number}"}
        source.ask("POST", f"{V2}/model-versions/create", body)
    alias = {"name": "m", "alias": "champion", "version": "3"}
    source.ask("POST", f"{V2}/registered-models/alias", alias)
    # As servers before 2.5 took it.
    source.sql(
        "UPDATE model_versions SET source = '/srv/mlruns/m', storage_location = NULL WHERE version = 2"
    )
    moves = Moves(source.connection, target.connection)
    record, _ = moves.copy()
    assert record.failures == ()
    lost = [(each.item, each.count, each.examples) for each in record.losses if each.count]
    assert lost == [("its source", 1, ("m/2",))]
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert target.sql("SELECT alias, version FROM registered_model_aliases") == [("champion", 3)]
    source.ask("POST", f"{V2}/model-versions/create", {"name": "m", "source": "s3://x/3"})
    source.sql("UPDATE model_versions SET source = 'runs:/gone/m', storage_location = NULL WHERE version = 4")
    failures = moves.sync().failures
    assert [(each.code, "making version m/4" in each.reason) for each in failures] == [("HL-9564", True)]


def test_what_a_record_came_from_is_compared(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    made = source.ask("POST", f"{V3}/datasets/create", {"name": "golden"})["dataset"]["dataset_id"]
    came = {"source_type": "TRACE", "source_data": {"trace_id": TRACE}}
    records = json.dumps([{"inputs": {"q": 1}, "source": came}, {"inputs": {"q": 2}}])
    source.ask("POST", f"{V3}/datasets/{made}/records", {"records": records})
    moves = Moves(source.connection, target.connection)
    moves.copy()
    proof = moves.verify()
    assert proof.passed, proof.differences
    target.sql("UPDATE evaluation_dataset_records SET source_id = 'another' WHERE source_id IS NOT NULL")
    differs = {("evaluation dataset", made, ('records.{"q": 1}',))}
    assert by_name(moves.verify().differences) == differs


def test_tags_of_datasets_have_no_order(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    body = {"name": "golden", "tags": json.dumps({"b": "1", "a": "2"})}
    made = source.ask("POST", f"{V3}/datasets/create", body)["dataset"]["dataset_id"]
    put_whole(source, target)
    target.sql("UPDATE evaluation_dataset_tags SET rowid = rowid + 9 WHERE key = 'b'")
    told = [each.ask("GET", f"{V3}/datasets/{made}")["dataset"]["tags"] for each in (source, target)]
    assert told[0] != told[1]
    moves = Moves(source.connection, target.connection)
    assert named(moves) == set()
    target.sql("UPDATE evaluation_dataset_tags SET value = '3' WHERE key = 'a'")
    assert named(moves) == {("evaluation dataset", made, ("tags.a",))}
