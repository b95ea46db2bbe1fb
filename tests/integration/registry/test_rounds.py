"""Weeks of a team's work, in rounds: random changes, a sync, a proof, and what MLflow's own client sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.registry.requests import RegistryPlace
from heavylift.registry.settling import Judgement
from heavylift.registry.uris import uri_map
from heavylift.registry.verifying import verification
from heavylift.registry.ways import way_of
from heavylift.registry.work import Work
from sandbox.stack import Stack
from tests.support.interface_moves import Moves
from tests.support.registry_seen import Eyes
from tests.support.registry_team import Team
from tests.support.stores import two_stores
from tests.support.tracking_server import Server, over_store

pytestmark = pytest.mark.long
ROUNDS, CHANGES = 3, 40


@pytest.fixture(params=[3])
def team(request: pytest.FixtureRequest, trackers: tuple[Server, Server]) -> Team:
    print(f"seed {request.param}")
    return Team(trackers[0], request.param)


def test_through_the_interface(team: Team, trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    moves = Moves(source.connection, target.connection)
    for number in range(ROUNDS):
        team.work(CHANGES)
        record = moves.sync(deletes="propagate") if number else moves.copy()[0]
        assert record.passed, (record.failures, record.losses, team.done)
        proof = moves.verify()
        assert proof.passed, (proof.differences, team.done)
        assert Eyes(target, own=False).see() == Eyes(source, own=True).see()
        assert moves.sync(deletes="propagate").written == 0


def test_at_store_level(
    team: Team, trackers: tuple[Server, Server], store_sandbox: Stack, tmp_path: Path
) -> None:
    source, _ = trackers
    with two_stores(store_sandbox.env, tmp_path.as_uri(), sizes=None) as stores:
        there = stores.target
        login = f"{there.login}:{there.password}@{there.host}:{there.port}"
        with over_store(
            tmp_path / "over", f"postgresql://{login}/{there.schema}", source.artifacts
        ) as target:
            file = Connection("file", "sqlite", host=str(source.database))
            request = replace(
                stores.request(uris=uri_map([]), deletes="propagate", artifacts=False),
                source=RegistryPlace(source.connection, file),
                target=RegistryPlace(target.connection, there),
            )
            way = way_of(request)
            for number in range(ROUNDS):
                team.work(CHANGES)
                way.move(request, Work(), "sync" if number else "copy")
                assert way.prove is not None
                seen = run(way.compare(request, Work(), Judgement()))
                proof = verification(request, seen, way.prove(request), 0.0)
                assert proof.passed, (proof.statement, proof.differences, team.done)
                assert Eyes(target, own=True).see() == Eyes(source, own=True).see()
                assert way.move(request, Work(), "sync").written == 0
