"""What a store held that came out wrong without a word, or was called wrong although it was right."""

from __future__ import annotations

import pytest

from heavylift.errors import ConflictError
from heavylift.registry.store.preflight import look
from tests.support import history
from tests.support.interface_moves import Moves
from tests.support.stores import MAP, TwoStores
from tests.support.tracking_server import Server


def test_a_file_that_was_written_over_in_its_own_size_follows(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    experiment = history.experiment(source, "one")
    run = history.run(source, experiment, 1, status=None)
    model = history.logged_model(source, experiment, run)
    files = (f"{run}/artifacts/model/MLmodel", f"models/{model}/artifacts/MLmodel")
    moves = Moves(source.connection, target.connection)
    moves.copy()
    for file, data in zip(files, (b"flavors: []\n", b"MODEL\n"), strict=True):
        history.put(source, f"{experiment}/{file}", data)
    assert moves.sync().written == 1  # a model that is ready is looked at by a copy
    assert [each.id for each in moves.verify().differences] == [f"logged model {model}: MLmodel"]
    assert moves.copy()[0].written == 1
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert moves.copy()[0].written == 0


def test_places_that_another_host_serves_are_demanded_and_others_told(stores: TwoStores) -> None:
    host = "mlflow-artifacts://old.example.com:5000"
    stores.on_source(f"UPDATE experiments SET artifact_location = '{host}/10' WHERE experiment_id = 10")
    stores.on_source("UPDATE model_versions SET source = 's3://theirs/m/1' WHERE name = 'model-0'")
    with pytest.raises(ConflictError, match=f"artifacts-unmapped: artifacts lie under {host},"):
        stores.copy()
    uris = type(MAP)((*MAP.pairs, (host, "mlflow-artifacts:")))
    found = {each.rule: each for each in look(stores.request(uris)).record.findings}
    told = found["artifacts-elsewhere"]
    assert (told.severity, "name s3://theirs/m, and" in told.detail) == ("warning", True)
    stores.copy(uris=uris)
    query = "SELECT artifact_location FROM experiments WHERE experiment_id = 10"
    assert stores.on_target(query) == [("mlflow-artifacts:/10",)]
