"""The shell's way: ``assess SPEC`` does it all, ``plan SPEC`` plans from what is there."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.facts.refreshed import Refreshed
from heavylift.inventory import api
from tests.support.small_account import PARTNER, SmallPlane
from tests.unit.objects.test_objects_cli import heavylift

ASSESS: dict[str, Any] = {
    "connection": "account",
    "lines": [{"name": "today", "bandwidth": "125MB/s"}],
    "start": "2026-12-01",
    "references": [{"target": "*763104351884*", "reason": "the vendor's image"}],
}


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW_CONN_ACCOUNT", '{"conn_type": "aws"}')
    monkeypatch.setattr(api, "open_plane", lambda _request, _stop: SmallPlane())
    return write(tmp_path, ASSESS)


def write(folder: Path, assess: dict[str, Any] | None) -> Path:
    path = folder / "small.yaml"
    given: dict[str, Any] = {
        "apiVersion": "heavylift/v1",
        "migration": "small",
        "owner": "team",
        "source": {"platform": "aws", "connection": "nowhere"},
        "target": {"platform": "gcp", "connection": "there", "region": "europe-west4"},
        "datasets": [{"name": "a", "source": "s3://some/a/", "target": "gs://some/a/"}],
    }
    path.write_text(yaml.safe_dump(given | ({"assess": assess} if assess else {})))
    return path


def test_all_of_it_in_one_run_and_the_same_plan_from_what_it_kept(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--evidence", (tmp_path / "evidence").as_uri())
    status, document, _ = heavylift(capsys, "assess", str(spec), *store, "--json")
    assert status == 1
    [gate] = document["gates"]
    assert [each["name"] for each in gate["checks"] if not each["passed"]] == ["references_explained"]
    digest = document["assessment"]["plan_digest"]
    explained = [*ASSESS["references"], {"target": f"host:{PARTNER}", "reason": "the partner stays"}]
    write(tmp_path, {**ASSESS, "references": explained})
    status, text, _ = heavylift(capsys, "graph", str(spec), *store)
    assert status == 0, text
    status, document, _ = heavylift(capsys, "plan", str(spec), *store, "--json", "--expect", digest)
    assert (status, document["digest"]) == (0, digest)
    status, text, _ = heavylift(capsys, "assess", str(spec), *store)
    assert status == 0
    assert "gate plan-approved: would open when approved" in text
    assert digest in text
    status, document, _ = heavylift(capsys, "status", "small", *store, "--json")
    assert status == 1
    assert document["phases"][0]["assessment"]["plan_digest"] == digest
    assert "waits for approval" in json.dumps(document["phases"][0]["reasons"])
    kept = next((tmp_path / "evidence").rglob("input-1.json"))
    status, document, _ = heavylift(capsys, "plan", str(kept), "--json")
    assert (status, document["digest"]) == (0, digest)


def test_what_is_missing_is_named_before_anything_is_asked(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--evidence", (tmp_path / "evidence").as_uri())
    (tmp_path / "evidence").mkdir()
    status, _, err = heavylift(capsys, "plan", str(spec), *store)
    assert status == 2
    assert "HL-6921" in err
    write(tmp_path, None)
    for command in ("plan", "assess"):
        status, _, err = heavylift(capsys, command, str(spec), *store)
        assert status == 2
        assert "HL-" in err


def test_plans_stand_on_the_tables_that_the_spec_names(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--evidence", (tmp_path / "evidence").as_uri())
    plain = heavylift(capsys, "assess", str(spec), *store, "--json")[1]["assessment"]
    folder = tmp_path / "prices"
    folder.mkdir()
    rows = (
        files("heavylift.facts").joinpath("data", "egress_prices.csv").read_text().splitlines(keepends=True)
    )
    dear = [rows[0], *(row.replace(",0.09,", ",0.9,") for row in rows if row.startswith("aws,internet"))]
    (folder / "egress_prices.csv").write_text("".join(dear))
    told = Refreshed("aws", "eu-west-1", "a list", "2026-11-29T10:00:00+00:00", 1, 1, 0)
    (folder / "prices-aws.json").write_text(json.dumps(told.document()))
    write(tmp_path, {**ASSESS, "facts": "prices"})
    mine = heavylift(capsys, "assess", str(spec), *store, "--json")[1]["assessment"]
    assert mine["plan_digest"] != plain["plan_digest"]
    assert mine["costs"]["total"]["high"] > plain["costs"]["total"]["high"]
    assert told.line in mine["assumptions"]
    assert told.line not in plain["assumptions"]
    again = heavylift(capsys, "plan", str(spec), *store, "--json")[1]
    assert told.line in again["plan"]["assumptions"]
    write(tmp_path, {**ASSESS, "facts": "nowhere"})
    status, _, errors = heavylift(capsys, "assess", str(spec), *store, "--json")
    assert status == 2
    assert "HL-5512" in errors
