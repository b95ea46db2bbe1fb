"""A history moves through the public interfaces of two real servers, whole, and again and again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web

from heavylift.errors import CredentialError, NotFoundError
from heavylift.evidence.registry_records import RegistryIdMap, RegistryMoveRecord
from heavylift.registry.interface import server
from tests.support import history
from tests.support.fault_proxy import FaultProxy, running
from tests.support.fault_schedule import Schedule, Storm
from tests.support.interface_moves import Moves, start
from tests.support.tracking_server import Server, servers

V2, V3 = history.V2, history.V3


@dataclass(frozen=True)
class Pair:
    """Two servers; the source has a history, the target nothing."""

    source: Server
    target: Server

    @property
    def moves(self) -> Moves:
        return Moves(self.source.connection, self.target.connection)


@pytest.fixture(scope="module")
def running_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with servers(tmp_path_factory.mktemp("tracking"), "source", "target") as (source, target):
        history.fill(source)
        yield Pair(source, target)


@pytest.fixture
def pair(running_pair: Pair) -> Pair:
    running_pair.target.clear()
    return running_pair


def made(record: RegistryMoveRecord) -> dict[str, int]:
    return {each.table: each.inserted for each in record.tables if each.inserted}


def test_everything_arrives_and_a_second_time_nothing_is_written(pair: Pair) -> None:
    looked = pair.moves.look(dry_run=True)
    assert looked.passed, looked.findings
    assert pair.target.sql("SELECT count(*) FROM runs") == [(0,)]
    record, ids = pair.moves.copy()
    assert record.failures == ()
    assert record.fallbacks == ()
    assert made(record) == {each.table: each.inserted for each in looked.sorts if each.inserted}
    assert [loss.item for loss in record.losses if loss.count] == ["its secret and that it is active"]
    assert looked.losses == record.losses
    assert not record.passed
    proof = pair.moves.verify()
    assert proof.passed, proof.differences
    assert_points_equal(pair, ids.runs)
    assert pair.target.sql(
        "SELECT version FROM model_versions WHERE name LIKE 'fraud%' AND current_stage"
        " <> 'Deleted_Internal' ORDER BY 1"
    ) == [(1,), (3,), (4,)]
    before = pair.target.dump()
    again, same = pair.moves.copy(accept_losses=True)
    assert (again.written, made(again), again.passed, same.runs) == (0, {}, True, ids.runs)
    assert pair.moves.sync(deletes="propagate").written == 0
    assert pair.target.dump() == before


def assert_points_equal(pair: Pair, runs: Mapping[str, str]) -> None:
    """Assert past both servers that every point is there once."""
    query = "SELECT run_uuid, key, value, timestamp, step, is_nan FROM metrics"
    ours = Counter((runs[run], *rest) for run, *rest in pair.source.sql(query))
    assert ours == Counter(pair.target.sql(query))
    assert ours.total() > 60


def test_changes_follow(pair: Pair) -> None:
    source = pair.source
    _, ids = pair.moves.copy()
    (running,) = source.sql("SELECT run_uuid FROM runs WHERE status = 'RUNNING'")[0]
    (parent,) = source.sql("SELECT run_uuid FROM runs WHERE name = 'run 0'")[0]
    (experiment,) = source.sql("SELECT experiment_id FROM experiments WHERE name = 'second'")[0]
    points = [{"key": "loss/0", "value": 9.5, "timestamp": 7, "step": 99}]
    source.ask("POST", f"{V2}/runs/log-batch", {"run_id": running, "metrics": points})
    source.ask("POST", f"{V2}/runs/set-tag", {"run_id": parent, "key": "mlflow.user", "value": "another"})
    source.ask("POST", f"{V2}/runs/set-tag", {"run_id": parent, "key": "new", "value": "tag"})
    source.ask("POST", f"{V2}/runs/delete-tag", {"run_id": parent, "key": history.ODD_KEY})
    late = history.run(source, str(experiment), 9)
    version = {
        "name": "prompt",
        "source": "prompt-template",
        "tags": history.pairs({"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": '"new"'}),
    }
    source.ask("POST", f"{V2}/model-versions/create", version)
    alias = {"name": "prompt", "alias": "live", "version": "4"}
    source.ask("POST", f"{V2}/registered-models/alias", alias)
    source.ask("DELETE", f"{V2}/registered-models/alias", {"name": "fraud 'ü'", "alias": "champion"})
    history.trace(source, "1", parent, 7)
    for name, new in (("second", "aside"), (history.ODD, "second"), ("aside", history.ODD)):
        (found,) = source.sql("SELECT experiment_id FROM experiments WHERE name = ?", name)[0]
        source.ask("POST", f"{V2}/experiments/update", {"experiment_id": str(found), "new_name": new})
    record = pair.moves.sync()
    assert record.failures == ()
    assert made(record)["runs"] == 1
    assert made(record)["metric points"] == 13
    kept = pair.moves.verify().differences
    assert {(each.what, each.fields) for each in kept} == {
        ("run", (f"data.tags.{history.ODD_KEY}",)),
        ("registered model", ("aliases[champion]",)),
    }
    pair.moves.sync(deletes="propagate")
    proof = pair.moves.verify()
    assert proof.passed, proof.differences
    assert pair.moves.sync(deletes="propagate").written == 0
    assert late not in ids.runs


def test_a_store_that_answers_nothing_is_named_and_the_rest_arrives(pair: Pair) -> None:
    place = "SELECT artifact_uri FROM runs WHERE name = 'run 3'"
    (before,) = pair.source.sql(place)[0]
    move = "UPDATE runs SET artifact_uri = ? WHERE name = 'run 3'"
    pair.source.sql(move, "ftp://127.0.0.1:9/gone/run/artifacts")
    try:
        record, ids = pair.moves.copy()
        (failure,) = record.failures
        assert (failure.what, failure.id.split()[0]) == ("artifacts", "run")
        assert "ftp://127.0.0.1:9/gone" in failure.reason
        assert not record.passed
        assert_points_equal(pair, ids.runs)
        different = pair.moves.verify().differences
        assert {(each.what, each.id) for each in different} == {("artifact", f"{failure.id}: ")}
    finally:
        pair.source.sql(move, before)


def test_what_others_did_on_the_target_stays(pair: Pair) -> None:
    target = pair.target
    history.experiment(target, "second")
    target.ask("POST", f"{V2}/registered-models/create", {"name": "copied"})
    looked = pair.moves.look()
    taken = [each.subject for each in looked.findings if each.rule == "name-taken"]
    assert (looked.passed, taken) == (False, ["second", "copied"])
    record, ids = pair.moves.copy(on_name_conflict="map")
    assert record.failures == ()
    assert ids.registered_models["copied"] == "copied (m.history)"
    proof = pair.moves.verify()
    assert proof.passed, proof.differences
    (run,) = target.sql("SELECT run_uuid FROM runs WHERE name = 'run 0'")[0]
    for key in ("mlflow.user", "theirs"):
        target.ask("POST", f"{V2}/runs/set-tag", {"run_id": run, "key": key, "value": "theirs"})
    (source,) = pair.source.sql("SELECT run_uuid FROM runs WHERE name = 'run 0'")[0]
    record = pair.moves.sync(deletes="propagate", on_name_conflict="map")
    assert [(each.what, each.id) for each in record.failures] == [("runs", source)]
    tags = dict(target.sql("SELECT key, value FROM tags WHERE run_uuid = ?", run))
    assert (tags["mlflow.user"], tags["theirs"]) == ("theirs", "theirs")
    assert pair.moves.sync(overwrite=True, on_name_conflict="map").failures == ()
    tags = dict(target.sql("SELECT key, value FROM tags WHERE run_uuid = ?", run))
    assert (tags["mlflow.user"] != "theirs", tags["theirs"]) == (True, "theirs")


RUN = "(SELECT run_uuid FROM runs WHERE name = 'run {}')"
PLANTED = {
    f"DELETE FROM metrics WHERE key = 'loss/1' AND step = 2 AND run_uuid = {RUN.format(1)}": (
        "metric history",
        "points",
    ),
    "UPDATE runs SET end_time = end_time + 1 WHERE name = 'run 0'": ("run", "info.end_time"),
    "UPDATE runs SET lifecycle_stage = 'active' WHERE name = 'run 2'": ("run", "info.lifecycle_stage"),
    "UPDATE tags SET value = 'x' WHERE key = 'mlflow.parentRunId'": ("run", "data.tags.mlflow.parentRunId"),
    "UPDATE experiment_tags SET value = value + 1 WHERE key = 'heavylift.source.creation_time'": (
        "experiment",
        "creation_time",
    ),
    "DELETE FROM registered_model_aliases WHERE alias = 'live'": ("registered model", "aliases[live]"),
    "UPDATE model_version_tags SET value = 'x' WHERE key = 'mlflow.prompt.text' AND version = 2": (
        "model version",
        "tags.mlflow.prompt.text",
    ),
    "UPDATE model_versions SET source = 's3://x' WHERE version = 1 AND name LIKE 'fr%'": (
        "model version",
        "source",
    ),
    "DELETE FROM assessments WHERE trace_id LIKE 'tr-01%'": ("trace", "assessments"),
    "DELETE FROM spans WHERE name = 'step 1' AND trace_id LIKE 'tr-01%'": (
        "trace",
        "spans.AgICAgICAgI=",
    ),
    "DELETE FROM trace_tags WHERE key = 'heavylift.source.id' AND request_id LIKE 'tr-02%'": (
        "trace",
        "origin",
    ),
    "UPDATE logged_model_params SET param_value = '8'": ("logged model", "data.params[trees]"),
    "DELETE FROM evaluation_dataset_records WHERE inputs LIKE '%why 3%'": (
        "evaluation dataset",
        'records.{"q": "why 3"}',
    ),
    "UPDATE webhooks SET url = 'https://x'": ("webhook", "url"),
}


def test_planted_differences_are_found(pair: Pair) -> None:
    pair.moves.copy()
    for statement in PLANTED:
        pair.target.sql(statement)
    file = next(path for path in pair.target.artifacts.rglob("ü.bin") if path.stat().st_size)
    file.write_bytes(bytes(file.stat().st_size))
    next(pair.target.artifacts.glob("*/models/*/artifacts/MLmodel")).unlink()
    differences = pair.moves.verify().differences
    found = {(each.what, field) for each in differences for field in each.fields or (each.kind,)}
    assert found == {*PLANTED.values(), ("artifact", "content"), ("artifact", "missing")}
    # By names and sizes alone the file that is as long as before looks the same.
    listed = pair.moves.verify(contents=False)
    assert [each.kind for each in listed.differences if each.what == "artifact"] == ["missing"]
    assert "artifacts by names and sizes alone" in listed.statement
    assert (listed.artifacts_compared, listed.contents_compared) == (True, False)


@pytest.mark.long
@pytest.mark.parametrize("at", [30, 75])
def test_killed_it_goes_on_and_makes_nothing_twice(pair: Pair, at: int) -> None:
    async def killed() -> int:
        async with running(FaultProxy(pair.target.url, Schedule(0))) as proxy:
            process = start(Moves(pair.source.connection, replace(pair.target.connection, host=proxy.url)))
            proxy.watch.append(lambda number: process.kill() if number == at else None)
            await asyncio.to_thread(process.communicate)
            return process.returncode

    assert asyncio.run(killed()) == -9
    assert_whole(pair)


COUNTED = (
    *("runs", "logged_models", "experiments", "trace_info", "registered_models", "webhooks"),
    *("scorer_versions", "evaluation_dataset_records", "inputs", "logged_model_metrics"),
)


def assert_whole(pair: Pair) -> None:
    """Assert that another copy ends it, as if nothing had happened."""
    record, ids = pair.moves.copy()
    assert record.failures == ()
    proof = pair.moves.verify()
    assert proof.passed, proof.differences
    assert_points_equal(pair, ids.runs)
    for table in (
        "runs",
        "logged_models",
        "experiments",
        "trace_info",
        "registered_models",
        "webhooks",
        "scorer_versions",
    ):
        assert pair.target.sql(f"SELECT count(*) FROM {table}") == pair.source.sql(
            f"SELECT count(*) FROM {table}"
        ), table
    assert pair.moves.copy()[0].written == 0


@pytest.mark.long
@pytest.mark.parametrize("seed", [1])
def test_faults_on_the_way_change_nothing(pair: Pair, seed: int) -> None:
    rates = {"reset": 0.03, "lost": 0.05, "error": 0.03, "throttle": 0.03, "error_after": 0.03}

    async def spoilt() -> Counter[str]:
        async with running(FaultProxy(pair.target.url, Schedule(seed, rates))) as proxy:
            moves = Moves(pair.source.connection, replace(pair.target.connection, host=proxy.url))
            record, _ = await asyncio.to_thread(moves.copy)
            assert record.failures == ()
            return proxy.done

    done = asyncio.run(spoilt())
    assert done["lost"], done
    proof = pair.moves.verify()
    assert proof.passed, proof.differences
    assert pair.moves.copy()[0].written == 0


@dataclass
class Forgetful(FaultProxy):
    """Carries out each write, and answers it only when it is sent again."""

    forgotten: set[tuple[str, str, bytes]] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        sent = (request.method, request.raw_path, body)
        if request.method in {"GET", "HEAD"} or sent in self.forgotten:
            return await super().handle(request)
        self.forgotten.add(sent)
        return await self._pass_on(request, body, "lost")


@pytest.mark.long
def test_each_write_may_lose_its_answer(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_BASE_SECONDS", 0.01)

    async def forgetfully() -> RegistryMoveRecord:
        async with running(Forgetful(pair.target.url, Schedule(0))) as proxy:
            moves = Moves(pair.source.connection, replace(pair.target.connection, host=proxy.url))
            record, _ = await asyncio.to_thread(moves.copy)
            assert len(proxy.forgotten) > 50
            return record

    assert asyncio.run(forgetfully()).failures == ()
    assert_whole(pair)


def test_credentials_that_are_refused_end_it(pair: Pair) -> None:
    async def refused() -> None:
        storms = (Storm("denied", 5, 10**6),)
        async with running(FaultProxy(pair.target.url, Schedule(0, storms=storms))) as proxy:
            moves = Moves(pair.source.connection, replace(pair.target.connection, host=proxy.url))
            await asyncio.to_thread(moves.copy)

    with pytest.raises(CredentialError):
        asyncio.run(refused())


def test_a_sync_before_a_copy(pair: Pair) -> None:
    with pytest.raises(NotFoundError, match="HL-7164"):
        pair.moves.sync()


class Partial(FaultProxy):
    """A server that lacks some routes, as managed ones do."""

    absent = ("get-history-bulk", "logged-models", "v1/traces", "webhooks")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if any(each in request.raw_path for each in self.absent):
            return web.json_response({"error_code": "ENDPOINT_NOT_FOUND", "message": "no"}, status=404)
        return await super().handle(request)


def test_routes_that_are_absent_are_named(pair: Pair) -> None:
    async def partly() -> tuple[RegistryMoveRecord, RegistryIdMap]:
        async with (
            running(Partial(pair.source.url, Schedule(0))) as ours,
            running(Partial(pair.target.url, Schedule(0))) as theirs,
        ):
            moves = Moves(
                replace(pair.source.connection, host=ours.url),
                replace(pair.target.connection, host=theirs.url),
            )
            return await asyncio.to_thread(moves.copy)

    record, ids = asyncio.run(partly())
    assert {each.partition(":")[0] for each in record.fallbacks} == {
        "metrics/get-history-bulk",
        "source logged-models/search",
        "source webhooks",
        "target logged-models/search",
        "target v1/traces",
    }
    # Without logged models nothing tells this target whose files a version's are.
    assert {(each.what, each.id) for each in record.failures} == {
        ("registered models", "fraud 'ü'"),
        ("registered models", "copied"),
    }
    assert not record.passed
    assert_points_equal(pair, ids.runs)
    assert {each.item for each in record.losses if each.count} >= {"its spans", "its logged model"}
