"""From a spec: its newest plan and inventory; of a plan that nobody approved there is a draft and no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from heavylift.inventory import api
from tests.support.small_account import SmallPlane
from tests.unit.assess.test_assess_cli import ASSESS, write
from tests.unit.objects.test_objects_cli import heavylift


def test_a_spec_gives_a_draft_until_its_plan_is_approved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACCOUNT", '{"conn_type": "aws"}')
    monkeypatch.setattr(api, "open_plane", lambda _request, _stop: SmallPlane())
    spec, out = write(tmp_path, ASSESS), tmp_path / "infra"
    given = yaml.safe_load(spec.read_text())
    given["infrastructure"] = {"labels": {"cost-centre": "7"}, "state": "gs://states/p"}
    spec.write_text(yaml.safe_dump(given))
    store = ("--evidence", (tmp_path / "evidence").as_uri(), "--json")
    _, assessed, _ = heavylift(capsys, "assess", str(spec), *store)
    status, refused, _ = heavylift(capsys, "infra", "generate", str(spec), "--out", str(out), *store)
    assert (status, refused["error"]["code"]) == (1, "HL-7919")
    assert not out.exists()
    status, made, _ = heavylift(capsys, "infra", "generate", str(spec), "--out", str(out), "--draft", *store)
    assert (status, made["approved"]) == (0, False)
    assert made["plan_digest"] == assessed["assessment"]["plan_digest"]
    assert len(made["made"]) + len(made["untranslated"]) == assessed["assessment"]["components"]
    kept = json.loads((out / "infra.json").read_text())
    assert kept["made"] == json.loads(json.dumps(made["made"]))
    foundation = (out / "foundation" / "versions.tf").read_text()
    assert 'backend "gcs"' in foundation
    assert "cost-centre" in (out / "foundation" / "variables.tf").read_text()
    given["infrastructure"] = {"regions": ["europe-north1"]}
    spec.write_text(yaml.safe_dump(given))
    status, refused, _ = heavylift(
        capsys, "infra", "generate", str(spec), "--out", str(out), "--draft", *store
    )
    assert (status, refused["error"]["code"]) == (1, "HL-7923")
