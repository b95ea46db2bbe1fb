"""What a store held that came out wrong without a word, or was called wrong although it was right."""

from __future__ import annotations

from tests.support import history
from tests.support.interface_moves import Moves
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
