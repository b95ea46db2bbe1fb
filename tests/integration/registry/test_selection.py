"""A part of a server's experiments and models moves, is proved, grows and shrinks; the rest stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift.errors import ConflictError, UnsupportedError
from heavylift.registry.paths import choose_path
from heavylift.registry.selection import Selection
from heavylift.spec.sections_data import RegistryPath
from tests.support import history
from tests.support.interface_moves import Moves
from tests.support.tracking_server import Server

SECOND = Selection(("sec*",), ("prompt",))


@pytest.fixture
def filled(trackers: tuple[Server, Server]) -> tuple[Server, Server]:
    history.fill(trackers[0])
    return trackers


def names(server: Server) -> tuple[set[str], set[str]]:
    """Return a server's experiments but the default one, and its registered models."""
    experiments = server.sql("SELECT name FROM experiments WHERE experiment_id <> 0")
    return {row[0] for row in experiments}, {
        row[0] for row in server.sql("SELECT name FROM registered_models")
    }


def moves_of(pair: tuple[Server, Server]) -> Moves:
    return Moves(pair[0].connection, pair[1].connection)


def test_what_is_chosen_moves_and_is_proved_and_more_can_be_chosen_later(
    filled: tuple[Server, Server],
) -> None:
    source, target = filled
    moves = moves_of(filled)
    looked = moves.look(selection=SECOND)
    assert looked.passed, looked.findings
    (left,) = [each.detail for each in looked.findings if each.rule == "not-chosen"]
    assert left.startswith("3 experiments and 2 registered models of the source stay behind")
    record, ids = moves.copy(selection=SECOND)
    assert (record.failures, names(target)) == ((), ({"second"}, {"prompt"}))
    assert record.passed, record.losses  # secrets of webhooks stay with these
    assert len(ids.runs) == 1
    assert source.sql("SELECT name FROM webhooks")
    assert not target.sql("SELECT name FROM webhooks")
    assert target.sql("SELECT name FROM evaluation_datasets") == [("golden",)]
    proof = moves.verify(selection=SECOND)
    assert proof.passed, proof.differences
    assert moves.sync(selection=SECOND).written == 0
    assert not moves.verify(accept_losses=True).passed  # of all of it

    more, _ = moves.copy(accept_losses=True)
    assert more.failures == ()
    proof = moves.verify()
    assert proof.passed, proof.differences
    before = target.dump()
    with pytest.raises(ConflictError, match="HL-9601"):
        moves.sync(selection=SECOND, deletes="propagate")
    # Less is chosen again: what came before stays, and is nobody's difference.
    assert moves.sync(selection=SECOND).written == 0
    proof = moves.verify(selection=SECOND)
    assert (proof.passed, target.dump()) == (True, before), proof.differences


@pytest.mark.long
def test_models_move_with_the_experiments_of_their_runs_and_not_without(
    filled: tuple[Server, Server],
) -> None:
    source, target = filled
    moves, alone = moves_of(filled), Selection((), ("fraud*", "copied"))
    looked = moves.look(selection=alone)
    (told, *others) = [each for each in looked.findings if each.rule != "not-chosen"]
    assert (told.rule, "whose experiment is not chosen" in told.detail) == ("not-moved", True)
    assert {each.rule for each in others} <= {"not-moved"}
    record, _ = moves.copy(selection=alone, accept_losses=True)
    assert {each.code for each in record.failures} == {"HL-9600"}
    assert target.sql("SELECT count(*) FROM model_versions") == [(0,)]

    both = Selection(("Team/*",), alone.models)
    record, _ = moves.copy(selection=both, accept_losses=True)
    assert record.failures == ()
    assert names(target) == ({history.ODD}, {"fraud 'ü'", "copied"})
    assert target.sql("SELECT name FROM evaluation_datasets") == []
    proof = moves.verify(selection=both)
    assert proof.passed, proof.differences
    source.ask("POST", f"{history.V2}/experiments/create", {"name": "new"})
    source.ask("POST", f"{history.V2}/registered-models/create", {"name": "new"})
    assert moves.sync(selection=both, accept_losses=True).written == 0
    assert moves.verify(selection=both).passed
    alias = {"name": "fraud 'ü'", "alias": "late", "version": "1"}
    source.ask("POST", f"{history.V2}/registered-models/alias", alias)
    assert not moves.verify(selection=both).passed
    assert moves.sync(selection=both, accept_losses=True).written
    assert moves.verify(selection=both).passed


@pytest.mark.long
def test_two_choices_of_one_server_move_into_one_under_two_names(filled: tuple[Server, Server]) -> None:
    _, target = filled
    other = replace(moves_of(filled), registry="other")
    choices = [(moves_of(filled), SECOND), (other, Selection(("Team/*",), ("fraud*", "copied")))]
    for moves, selection in choices:
        record, _ = moves.copy(selection=selection, accept_losses=True)
        assert record.failures == ()
    assert names(target) == ({"second", history.ODD}, {"prompt", "fraud 'ü'", "copied"})
    for moves, selection in choices:
        proof = moves.verify(selection=selection)
        assert proof.passed, proof.differences
        assert moves.sync(selection=selection, accept_losses=True).written == 0


def test_a_store_moves_whole(trackers: tuple[Server, Server]) -> None:
    request = moves_of(trackers).request(selection=SECOND)
    by_itself = replace(request, options=replace(request.options, path=RegistryPath.AUTO))
    assert choose_path(by_itself).reason.startswith("through the interface, as only a part of the source")
    demanded = replace(request, options=replace(request.options, path=RegistryPath.STORE))
    with pytest.raises(UnsupportedError, match="HL-9599"):
        choose_path(demanded)
