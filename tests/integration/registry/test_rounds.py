"""Weeks of a team's work, in rounds: random changes, a sync, a proof, and what MLflow's own client sees."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.errors import CredentialError
from heavylift.registry.requests import RegistryPlace
from heavylift.registry.settling import Judgement
from heavylift.registry.uris import uri_map
from heavylift.registry.verifying import verification
from heavylift.registry.ways import way_of
from heavylift.registry.work import Work
from sandbox.stack import Stack
from tests.support import history
from tests.support.fault_proxy import FaultProxy, running
from tests.support.fault_schedule import Schedule
from tests.support.history import V2, V3
from tests.support.interface_moves import Moves
from tests.support.registry_seen import Eyes
from tests.support.registry_team import Team
from tests.support.stores import two_stores
from tests.support.tracking_server import Server, over_store

ROUNDS, CHANGES = 3, 40


@pytest.fixture(params=[3])
def team(request: pytest.FixtureRequest, trackers: tuple[Server, Server]) -> Team:
    print(f"seed {request.param}")
    return Team(trackers[0], request.param)


@pytest.mark.long
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


@pytest.mark.long
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


@dataclass
class Ended(FaultProxy):
    """Ends a run as it comes to take something away of one sort."""

    sort: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "DELETE" and self.sort in request.raw_path:
            return web.json_response({"error_code": "PERMISSION_DENIED", "message": "no"}, status=403)
        return await super().handle(request)


@pytest.mark.parametrize("sort", ["/assessments/", "/logged-models/"])
def test_what_is_to_be_taken_away_is_not_forgotten_by_a_run_that_ends_before(
    trackers: tuple[Server, Server], sort: str
) -> None:
    source, target = trackers
    experiment = history.experiment(source, "one")
    ran = history.run(source, experiment, 1)
    model = history.logged_model(source, experiment, ran)
    history.trace(source, experiment, ran, 1)
    moves = Moves(source.connection, target.connection)
    moves.copy()
    raw = (bytes([1]) * 16).hex()
    source.ask("DELETE", f"{V3}/traces/tr-{raw}/assessments/a-{raw}")
    source.ask("DELETE", f"{V2}/logged-models/{model}/tags/team")

    async def ended() -> None:
        async with running(Ended(target.url, Schedule(0), sort=sort)) as proxy:
            through = replace(moves, target=replace(target.connection, host=proxy.url))
            await asyncio.to_thread(through.sync, deletes="propagate")

    with pytest.raises(CredentialError):
        asyncio.run(ended())
    assert moves.sync(deletes="propagate").failures == ()
    proof = moves.verify()
    assert proof.passed, proof.differences
