"""The section ``optimize``: what it accepts, what it comes to, and what is refused by name."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import NotFoundError, SpecError
from heavylift.evidence.records import RunKey
from heavylift.optimize.from_spec import (
    Around,
    mix_request,
    optimize_one,
    size_request,
    subjects_of,
    trials_of,
    wishes_of,
)
from heavylift.spec.load import load_spec
from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import SpecFileError
from tests.dags.specs import write

STUDY = {
    "name": "scoring",
    "requests": "file:///requests.jsonl",
    "latency": 50.0,
    "knobs": {"model": ["/models/a"], "workers": [1, 2], "rows": [1, 8]},
    "usd_per_hour": 0.4,
}
SIZE = {"name": "scorer", "series": "file:///use.csv", "instance_type": "g2-standard-8"}
BOUGHT = {"name": "fleet", "demand": "file:///demand.csv", "on_demand": 1.0, "prices_of": "made, 2026-11-01"}
SPOT = {"spot": 0.3, "interruptions": {"rate": 0.1, "checkpoint": 0.05}}


def load(tmp_path: Path, optimize: Any, **more: Any) -> MigrationSpec:
    return load_spec(write(tmp_path, "some", optimize=optimize, **more))


def around(spec: MigrationSpec, folder: Path) -> Around:
    def look_up(name: str) -> Connection:
        return Connection(name, "file")

    run = RunKey(migration=spec.migration, phase="optimize", run="r")
    return Around(spec, run, folder, look_up, f"file://{folder}", None)


async def test_a_study_is_tried_as_the_spec_says(tmp_path: Path) -> None:
    requests = tmp_path / "requests.jsonl"
    requests.write_text('{"inputs": [[1]]}')
    study = {**STUDY, "requests": f"file://{requests}", "quantile": 0.99, "max_trials": 9, "first_rate": 5.0}
    spec = load(tmp_path, {"trials": [study]})
    request, _ = await trials_of(around(spec, tmp_path), spec.optimize.trials[0])  # type: ignore[union-attr]
    assert request.space.size == 4
    assert (request.objective.quantile, request.objective.limit_ms) == (0.99, 50.0)
    assert (request.plan.most_trials, request.plan.first_rate) == (9, 5.0)
    assert "mlflow.pyfunc.scoring_server.app:app" in request.served
    again, _ = await trials_of(around(spec, tmp_path), spec.optimize.trials[0])  # type: ignore[union-attr]
    assert again.digest == request.digest
    idle = load(tmp_path, {"trials": [{**study, "knobs": {"model": ["/a"], "threads": [1, 2]}}]})
    with pytest.raises(SpecError, match="HL-9260"):
        await trials_of(around(idle, tmp_path), idle.optimize.trials[0])  # type: ignore[union-attr]


def test_sizes_and_purchases_come_to_requests_and_wishes(tmp_path: Path) -> None:
    size = {**SIZE, "replaces": "g5.2xlarge", "headroom": 0.5, "columns": {"cpu": "busy"}}
    job = {"hours": 20.0, "deadline": 30.0, "max_late": 0.01}
    bought = {**BOUGHT, **SPOT, "job": job, "spot_share": 0.5}
    types = {"instance_types": {"g5.2xlarge": "g2-standard-8"}}
    spec = load(
        tmp_path, {"trials": [STUDY], "rightsizing": [size], "purchases": [bought]}, infrastructure=types
    )
    assert subjects_of(spec) == [("trials", "scoring"), ("rightsizing", "scorer"), ("mix", "fleet")]
    assert spec.optimize is not None
    sized = asyncio.run(size_request(around(spec, tmp_path), spec.optimize.rightsizing[0]))
    assert (sized.provider, sized.rules.headroom, sized.columns) == ("gcp", 0.5, {"cpu": "busy"})
    mixed = mix_request(around(spec, tmp_path), spec.optimize.purchases[0])
    assert mixed.job is not None
    # Interrupted work is billed more than once: an hour of it costs more than the price of one.
    assert mixed.prices.spot_factor > 1
    wishes = wishes_of(spec)
    assert (wishes["rightsizing scorer"].replaces, wishes["rightsizing scorer"].stands) == (
        "g5.2xlarge", "g2-standard-8"
    )  # fmt: skip
    assert wishes["mix fleet"].max_late == 0.01


async def test_what_the_spec_does_not_name_is_not_judged(tmp_path: Path) -> None:
    spec = load(tmp_path, {"rightsizing": [SIZE]})
    for kind in ("trials", "rightsizing", "mix"):
        with pytest.raises(NotFoundError, match="HL-9264"):
            await optimize_one(around(spec, tmp_path), kind, "other")  # type: ignore[arg-type]


async def test_use_that_nobody_has_read_is_told(tmp_path: Path) -> None:
    size = {**SIZE, "component": "arn:aws:sagemaker:eu-west-1:1:endpoint/score"}
    size.pop("series")
    spec = load(tmp_path, {"rightsizing": [size]})
    (tmp_path / "evidence").mkdir()
    empty = replace(around(spec, tmp_path), evidence_url=(tmp_path / "evidence").as_uri())
    with pytest.raises(NotFoundError, match=r"endpoint/score.*HL-9412"):
        await optimize_one(empty, "rightsizing", str(size["name"]))


@pytest.mark.parametrize(
    ("optimize", "code"),
    [
        ({}, "9266"),
        ({"rightsizing": [SIZE, SIZE]}, "9267"),
        ({"rightsizing": [{**SIZE, "unit": "permille"}]}, "9268"),
        ({"rightsizing": [{**SIZE, "component": "arn:aws:x"}]}, "9411"),
        ({"rightsizing": [{**SIZE, "series": None}]}, "9411"),
        ({"trials": [{**STUDY, "quantile": 0.8}]}, "9269"),
        ({"trials": [{**STUDY, "price_knob": "workers"}]}, "9270"),
        ({"trials": [{**STUDY, "instance_knob": "other"}]}, "9271"),
        ({"trials": [{**STUDY, "max_trials": 4}]}, "9272"),
        ({"purchases": [{**BOUGHT, "demand": None}]}, "9273"),
        ({"purchases": [{**BOUGHT, "spot_share": 0.5}]}, "9274"),
        ({"purchases": [{**BOUGHT, "on_demand": -1.0}]}, "on_demand"),
        ({"trials": [{**STUDY, "latency": 0.0}]}, "latency"),
    ],
)
def test_what_could_not_be_optimised_is_refused(tmp_path: Path, optimize: Any, code: str) -> None:
    with pytest.raises(SpecFileError, match=code):
        load(tmp_path, optimize)
