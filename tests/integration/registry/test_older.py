"""A server of MLflow 2: what it tells in the older form arrives, what it never had is no difference."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from aiohttp import web

from tests.support import history
from tests.support.fault_proxy import FaultProxy, running
from tests.support.fault_schedule import Schedule
from tests.support.history import V2, V3
from tests.support.interface_moves import Moves
from tests.support.tracking_server import Server

TRACE = "c7557b5c632949feb186492ec03577dd"
SPANS = json.dumps({"spans": [], "request": "ü"}).encode()


class Older(FaultProxy):
    """A server without the routes and fields that came with MLflow 3; traces it tells in the older form."""

    absent = ("api/3.0/", "logged-models", "webhooks", "get-history-bulk", "v1/traces")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if any(each in request.raw_path for each in self.absent):
            return web.Response(status=404, text="<!doctype html><title>404 Not Found</title>")
        return await super().handle(request)

    async def _answer(
        self, request: web.Request, status: int, headers: dict[str, str], content: bytes, fault: str
    ) -> web.StreamResponse:
        if content.startswith(b"{"):
            content = json.dumps(_without_workspaces(json.loads(content))).encode()
        return await super()._answer(request, status, headers, content, fault)


def _without_workspaces(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_workspaces(each) for key, each in value.items() if key != "workspace"}
    return [_without_workspaces(each) for each in value] if isinstance(value, list) else value


def fill(server: Server) -> None:
    """Make what an older server can hold."""
    experiment = history.experiment(server, "old")
    parent = history.run(server, experiment, 0)
    history.run(server, experiment, 1, {"mlflow.parentRunId": parent})
    gone = history.run(server, experiment, 2)
    server.ask("POST", f"{V2}/runs/delete", {"run_id": gone})
    server.ask("POST", f"{V2}/registered-models/create", {"name": "m"})
    for number in range(3):
        version = {"name": "m", "source": f"s3://x/{number}", "run_id": parent}
        server.ask("POST", f"{V2}/model-versions/create", version)
    server.ask("DELETE", f"{V2}/model-versions/delete", {"name": "m", "version": "2"})
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    for trace, state in ((TRACE, "OK"), ("e19316cebbd041409de49c375bc90c1e", "IN_PROGRESS")):
        info = {"trace_id": trace, "trace_location": place, "state": state, "tags": {"ü": "ä"}}
        info |= {"request_time": "2025-10-09T08:53:20.007Z", "execution_duration": "1.250s"}
        info |= {"trace_metadata": {"mlflow.sourceRun": parent, "mlflow.traceInputs": "{}"}}
        server.ask("POST", f"{V3}/traces", {"trace": {"trace_info": info}})
    path = f"{experiment}/traces/{TRACE}/artifacts/traces.json"
    server.ask("PUT", f"api/2.0/mlflow-artifacts/artifacts/{path}", SPANS)


def test_what_it_has_arrives_with_its_traces_and_is_proved(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    fill(source)

    async def older() -> None:
        async with running(Older(source.url, Schedule(0))) as proxy:
            moves = Moves(replace(source.connection, host=proxy.url), target.connection)
            await asyncio.to_thread(move, moves, target)

    asyncio.run(older())


def move(moves: Moves, target: Server) -> None:
    """Copy, prove, sync and plant."""
    record, _ = moves.copy()
    assert (record.failures, record.passed) == ((), True), record.losses
    assert target.sql("SELECT status, timestamp_ms, execution_time_ms FROM trace_info ORDER BY 1") == [
        ("IN_PROGRESS", 1760000000007, 1250),
        ("OK", 1760000000007, 1250),
    ]
    (file,) = target.artifacts.rglob("traces.json")
    assert file.read_bytes() == SPANS
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert {each.split()[0] for each in proof.unread} == {"logged", "scorers", "all"}
    before = target.dump()
    assert moves.sync(deletes="propagate").written == 0
    assert target.dump() == before
    target.sql("UPDATE trace_tags SET value = 'x' WHERE key = 'ü' AND request_id = ?", TRACE)
    target.sql("UPDATE trace_info SET timestamp_ms = timestamp_ms + 1 WHERE request_id <> ?", TRACE)
    file.write_bytes(b"{}")
    assert {(each.what, each.fields) for each in moves.verify().differences} == {
        ("trace", ("spans (their file)", "tags.ü")),
        ("trace", ("request_time",)),
    }
