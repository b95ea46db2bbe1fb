"""Tests of the moved workload on small servers: what passes, what fails, and what could not be run."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import SpecError
from heavylift.evidence.baseline_records import EndpointBaseline
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.evidence.workload_records import WorkloadKind, WorkloadTestRecord
from heavylift.gates.evaluate import evaluate_gate
from heavylift.gates.workload_checks import WorkloadDemand
from heavylift.spec.gates import Gate
from heavylift.spec.load import load_spec
from heavylift.spec.vocabulary import Check, Phase
from heavylift.workload import continuity
from heavylift.workload.api import drill, try_workload
from heavylift.workload.requests import WorkloadRequest
from sandbox.stack import Stack
from sandbox.waiting import until
from tests.integration.objects.places import Servers
from tests.support.scoring_server import Manner, Running, scoring_server

TOKEN = "a token of the test's own"
REQUESTS = [json.dumps({"inputs": [[number, 1.0]]}) for number in range(5)]
RUN = RunKey(migration="moved", phase="cutover", run="one")


class Moved:
    """A workload whose two endpoints are servers of the test's own."""

    def __init__(self, folder: Path, source: Running, target: Running) -> None:
        self.folder = folder
        self.servers = {"source": source, "target": target}
        self.connections = {
            "source": source.connection("source"),
            "target": target.connection("target", TOKEN),
            "evidence": Connection("evidence", "file"),
        }
        (folder / "golden.jsonl").write_text("\n".join(REQUESTS))

    def request(self, store: Any, **section: Any) -> WorkloadRequest:
        spec_file = self.folder / "spec.yaml"
        platform = {"platform": "kubernetes", "connection": "here"}
        spec_file.write_text(
            json.dumps(
                {
                    "apiVersion": "heavylift/v1",
                    "migration": "moved",
                    "owner": "tests",
                    "source": platform,
                    "target": platform,
                    "evidence": {"url": self.evidence},
                    "workload_tests": {
                        "requests": f"file://{self.folder}/golden.jsonl",
                        "connection": "target",
                        "timeout": 2,
                        **section,
                    },
                }
            )
        )
        return WorkloadRequest(store, load_spec(spec_file), RUN, "cli:test", self.connection)

    @property
    def evidence(self) -> str:
        return f"file://{self.folder}/evidence"

    def connection(self, conn_id: str) -> Connection:
        return self.connections[conn_id]

    def run(self, kind: WorkloadKind, **section: Any) -> WorkloadTestRecord:
        async def whole() -> WorkloadTestRecord:
            async with open_evidence(self.evidence) as store:
                record, _ref = await try_workload(self.request(store, **section), kind)
                return record

        return asyncio.run(whole())


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[Moved]:
    with scoring_server() as source, scoring_server(Manner(token=TOKEN)) as target:
        yield Moved(tmp_path, source, target)


FUNCTIONAL: dict[str, Any] = {"functional": {"source_connection": "source"}}


def test_a_target_that_answers_as_the_source_does_passes(moved: Moved) -> None:
    record = moved.run("functional", **FUNCTIONAL)
    assert record.verdict == "passed"
    moved.servers["target"].manner.shift = 0.5
    record = moved.run("functional", **FUNCTIONAL)
    assert record.verdict == "failed"
    assert "5 answered otherwise" in record.cases[0].got
    moved.servers["source"].manner.status = 500
    assert moved.run("functional", **FUNCTIONAL).verdict == "not run"


def test_recorded_answers_stand_for_a_source_that_is_gone(moved: Moved) -> None:
    answers = moved.folder / "answers.jsonl"
    answers.write_text("\n".join(json.dumps({"predictions": [number + 1.0]}) for number in range(5)))
    section = {"functional": {"answers": f"file://{answers}"}}
    assert moved.run("functional", **section).verdict == "passed"
    answers.write_text(json.dumps({"predictions": [1.0]}) + "\n" + json.dumps({"predictions": [2.0]}))
    with pytest.raises(SpecError, match="HL-9336"):
        moved.run("functional", **section)


PROBES = {
    "security": [
        {"name": "nobody", "kind": "unauthenticated"},
        {"name": "wrong-token", "kind": "wrong_credential"},
    ]
}


def test_a_refusal_counts_only_beside_a_request_that_is_served(moved: Moved) -> None:
    assert [each.verdict for each in moved.run("security", **PROBES).cases] == ["passed", "passed"]
    moved.servers["target"].manner.token = ""
    assert [each.verdict for each in moved.run("security", **PROBES).cases] == ["failed", "failed"]
    # Everybody is refused: that shows nothing.
    moved.servers["target"].manner.token = "another"
    record = moved.run("security", **PROBES)
    assert {each.verdict for each in record.cases} == {"not run"}
    assert record.verdict == "not run"
    assert TOKEN not in record.model_dump_json()


def test_an_endpoint_without_tls_fails(moved: Moved) -> None:
    probe: dict[str, Any] = {"name": "plain", "kind": "plain_http"}
    [case] = moved.run("security", security=[probe]).cases
    assert case.verdict == "failed"
    served = f"http://127.0.0.1:{moved.servers['target'].port}/invocations"
    [case] = moved.run("security", security=[{**probe, "address": served}]).cases
    assert (case.verdict, case.got) == ("failed", "a good answer")
    with scoring_server() as gone:
        port = gone.port
    refused = {**probe, "address": f"http://127.0.0.1:{port}/invocations"}
    [case] = moved.run("security", security=[refused]).cases
    assert case.verdict == "passed"


def test_an_object_is_asked_for_by_who_may_not_and_by_who_may(
    moved: Moved, sandbox: Stack, tmp_path: Path
) -> None:
    servers = Servers(sandbox, tmp_path)
    bucket = f"tenant-{secrets.token_hex(4)}"
    servers.create("aws_target", bucket)
    servers.s3("aws_target").put_object(Bucket=bucket, Key="contract.txt", Body=b"of tenant A")
    owner = servers.connection("aws_target")
    moved.connections |= {"owner": owner, "stranger": replace(owner, login="AKIAELSE", password="else")}
    probe = {"name": "other-tenant", "kind": "foreign_object", "object": f"s3://{bucket}/contract.txt"}
    asked = {**probe, "connection": "stranger", "owner_connection": "owner"}
    [case] = moved.run("security", security=[asked]).cases
    assert case.verdict == "passed"
    [case] = moved.run("security", security=[{**asked, "connection": "owner"}]).cases
    assert (case.verdict, case.got) == ("failed", "the object")
    [case] = moved.run("security", security=[{**asked, "object": f"s3://{bucket}/none"}]).cases
    assert case.verdict == "not run"


def test_a_target_is_held_against_the_baseline_of_the_source(moved: Moved) -> None:
    from heavylift.baselines.api import measure_baseline
    from heavylift.baselines.requests import BaselineRequest, LoadPlan

    plan = LoadPlan(rates=(30.0,), step_seconds=1.0, warm_up_seconds=0.2)
    request = BaselineRequest(
        run=RUN,
        connection=moved.connections["source"],
        requests=moved.folder / "golden.jsonl",
        plan=plan,
        evidence_url=moved.evidence,
    )
    _baseline, ref = asyncio.run(measure_baseline(request))
    moved.servers["target"].manner.seconds = 0.05
    section = {"performance": {"baseline": ref.path, "rates": [30.0], "step": 1}}
    record = moved.run("performance", **section)
    assert record.verdict == "failed"
    measured = json.loads((moved.folder / "evidence" / record.evidence[0].path).read_text())
    assert EndpointBaseline.model_validate(measured).comparison is not None


def test_a_loss_that_is_mended_in_time_passes_and_one_that_is_not_fails(
    moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuity, "STEADY", 0.3)
    section = {"continuity": {"connection": "target", "recovered_within": 30}}
    manner = moved.servers["target"].manner

    async def watched(mended: bool) -> WorkloadTestRecord:
        begun = asyncio.Event()
        async with open_evidence(moved.evidence) as store:
            seconds = 20.0 if mended else 1.5
            task = asyncio.create_task(drill(moved.request(store, **section), begun=begun, seconds=seconds))
            await begun.wait()
            manner.status, asked = 503, manner.asked
            await asyncio.to_thread(until, lambda: manner.asked >= asked + 3, seconds=20, longest=0.05)
            manner.status = 0 if mended else 503
            record, _ref = await task
            manner.status = 0
            return record

    [lost, back] = asyncio.run(watched(True)).cases
    assert (lost.verdict, back.verdict) == ("passed", "not run")
    assert lost.seconds > 0
    [lost, _back] = asyncio.run(watched(False)).cases
    assert lost.verdict == "failed"


def test_a_drill_in_which_nothing_was_lost_was_not_run(moved: Moved) -> None:
    section = {"continuity": {"connection": "target"}}

    async def watched() -> WorkloadTestRecord:
        async with open_evidence(moved.evidence) as store:
            record, _ref = await drill(moved.request(store, **section), seconds=0.5)
            return record

    assert asyncio.run(watched()).cases[0].verdict == "not run"


def test_a_gate_goes_by_the_newest_test_of_each_kind(moved: Moved) -> None:
    gate = Gate(name="tested", phase=Phase.CUTOVER, checks=(Check.WORKLOAD_TESTS_PASSED,))

    async def judge(within: float = 3600) -> dict[str, bool]:
        async with open_evidence(moved.evidence) as store:
            demand = WorkloadDemand(["functional", "security"], within)
            result, _ref = await evaluate_gate(store, RUN, gate, [], workload=demand)
            return {each.subject: each.passed for each in result.checks}

    assert asyncio.run(judge()) == {"functional": False, "security": False}
    moved.run("functional", **FUNCTIONAL)
    moved.run("security", **PROBES)
    assert asyncio.run(judge()) == {"functional": True, "security": True}
    moved.servers["target"].manner.shift = 1.0
    moved.run("functional", **FUNCTIONAL)
    assert asyncio.run(judge()) == {"functional": False, "security": True}
    assert asyncio.run(judge(within=0)) == {"functional": False, "security": False}
