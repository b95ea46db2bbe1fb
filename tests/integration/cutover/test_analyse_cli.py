"""``heavylift cutover analyse`` in a shell: exit status, output, audit trail, no secret anywhere."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cutover.canary.api import analyse as judge
from heavylift.cutover.canary.limits import Limits, Range
from heavylift.cutover.canary.requests import CanaryRequest, Probes
from heavylift.evidence.records import RunKey
from tests.support.scoring_server import Manner, Running, scoring_server
from tests.support.shell import start

TOKEN = "do-not-show-me"
QUICK = ("--rate", "60", "--warm-up-seconds", "1", "--seconds", "40")

SPEC = """\
apiVersion: heavylift/v1
migration: churn-model
owner: growth-ml
source: {platform: aws, connection: aws_source}
target: {platform: gcp, connection: gcp_target}
datasets: [{name: data, source: s3://churn/training/, target: gs://churn/training/}]
"""


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    path = tmp_path / "requests.jsonl"
    path.write_text('{"inputs": [[1, 2]]}\n{"inputs": [[3, 4]]}\n')
    return path


def analyse(folder: Path, sides: tuple[Running, Running], requests: Path, *options: str):
    environment = dict(os.environ)
    for name, side in zip(("EP_SOURCE", "EP_TARGET"), sides, strict=True):
        environment[f"AIRFLOW_CONN_{name}"] = json.dumps(
            {"conn_type": "http", "host": f"http://127.0.0.1:{side.port}", "extra": {"token": TOKEN}}
        )
    arguments = ["cutover", "analyse", "--source-conn", "ep_source", "--target-conn", "ep_target"]
    arguments += ["--requests", str(requests), "--evidence", f"file://{folder}/evidence", "--json"]
    status, output, errors = start([*arguments, *QUICK, *options], environment).end()
    assert TOKEN not in output + errors
    return status, json.loads(output), errors


def test_a_bad_target_ends_with_1_and_a_record_and_an_entry_in_the_trail(tmp_path: Path, requests: Path):
    wrong = Manner(token=TOKEN, shift=1.0)
    with scoring_server(Manner(token=TOKEN)) as source, scoring_server(wrong) as target:
        sides = (source, target)
        status, found, errors = analyse(tmp_path, sides, requests, "--step", "5", "--run", "r1")
        asked = target.manner.asked
        again, same, _ = analyse(tmp_path, sides, requests, "--step", "5", "--run", "r1")
        assert target.manner.asked == asked
    assert (status, again) == (1, 1)
    assert found["analysis"]["verdict"] == "abort"
    assert found["analysis"]["step"] == "5"
    assert same == found
    assert "mismatch is beyond" in errors
    written = tmp_path / "evidence" / found["evidence"]["path"]
    assert json.loads(written.read_text()) == found["analysis"]
    everything = "".join(each.read_text() for each in (tmp_path / "evidence").rglob("*.json"))
    assert TOKEN not in everything
    assert "cutover.analysed" in everything


async def test_what_was_promoted_ends_with_0_and_is_not_asked_again(tmp_path: Path, requests: Path):
    limits = Limits(
        errors=Range(0.01, 0.1),
        latency=Range(2.0, 5.0),
        mismatch=Range(0.01, 0.1),
        warm_up_seconds=0,
        block_seconds=0.1,
        min_samples=50,
    )
    with scoring_server() as source, scoring_server(Manner(seed=2)) as target:
        probes = Probes(source.connection("ep_source"), target.connection("ep_target"), requests, rate=60)
        await judge(
            CanaryRequest(
                run=RunKey(migration=MIGRATION, phase="cutover", run="r1"),
                step="shadow",
                limits=limits,
                seconds=40,
                probes=probes,
                evidence_url=f"file://{tmp_path}/evidence",
            )
        )
        asked = source.manner.asked
        sides = (source, target)
        status, found, _ = await asyncio.to_thread(analyse, tmp_path, sides, requests, "--run", "r1")
        assert source.manner.asked == asked
    assert (status, found["analysis"]["verdict"]) == (0, "promote")


def test_what_is_refused_asks_nobody(tmp_path: Path, requests: Path):
    with scoring_server() as source, scoring_server() as target:
        sides = (source, target)
        status, found, _ = analyse(tmp_path, sides, requests, "--dry-run")
        assert (status, found["planned"]["requests"]) == (0, 2400)
        status, found, _ = analyse(tmp_path, sides, requests, "--max-latency-ratio", "2")
        assert (status, found["error"]["code"]) == (2, "HL-8761")
        assert (source.manner.asked, target.manner.asked) == (0, 0)
    assert not (tmp_path / "evidence").exists()


def test_a_part_of_the_options_and_a_spec_without_the_section_are_refused(tmp_path: Path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    for options, code in ((["--source-conn", "ep"], "HL-8768"), (["--spec", str(spec)], "HL-8767")):
        status, output, _ = start(["cutover", "analyse", "--json", *options], dict(os.environ)).end()
        assert (status, json.loads(output)["error"]["code"]) == (2, code)
