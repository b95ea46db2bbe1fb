"""The DAG file of the phase provision, run by Airflow itself: translated, judged, compared, not applied."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.handed_over import ACCESS, MANIFESTS, PIPELINES, SIDES, lay_out
from tests.unit.objects.test_objects_cli import heavylift

REVIEWED = {
    "name": "reviewed",
    "phase": "provision",
    "checks": ["access_translated", "access_not_widened"],
    "approval": {"required": False},
}
SECRET = "hunter2"


class Site:
    """Airflow with the repository's own DAG file, and one spec."""

    def __init__(self, home: Path, repository: Path) -> None:
        self.home, self.specs = home, home / "specs"
        self.specs.mkdir()
        (home / "dags").mkdir()
        (home / "dags" / "provision.py").symlink_to(repository / "dags" / "provision.py")
        lay_out(self.specs)
        self.repository = repository
        self.evidence = home / "evidence"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", str(home)),
            "AIRFLOW_HOME": str(home),
            "PYTHONPATH": f"{repository / 'include'}:{repository / 'plugins'}",
            "HEAVYLIFT_MIGRATIONS": str(self.specs),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW_CONN_EVIDENCE": '{"conn_type": "file"}',
        }

    def write(self, **sections: Any) -> None:
        """Write the spec."""
        spec = {
            "apiVersion": "heavylift/v1", "migration": "small", "owner": "team", **SIDES,
            "evidence": {"url": self.evidence.as_uri()}, **sections,
        }  # fmt: skip
        (self.specs / "small.yaml").write_text(yaml.safe_dump(spec))

    def airflow(self, *arguments: str) -> str:
        """Run a command of Airflow's and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment, cwd=self.repository, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def records(self, part: str) -> list[dict[str, Any]]:
        """Return the records of a part, the newest last."""
        found = [json.loads(path.read_text()) for path in self.evidence.rglob(f"~parts/{part}-*.json")]
        return sorted(found, key=lambda each: each["made_at"])


def ended(printed: str) -> str:
    """Return how Airflow says that the run ended."""
    [word] = re.findall(r"Marking run <DagRun [^>]*> (\w+)", printed)
    return str(word)


@pytest.mark.long
def test_the_phase_translates_judges_and_says_that_nothing_was_applied(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, repository)
    sections = {"pipelines": PIPELINES, "manifests": MANIFESTS, "gates": [REVIEWED]}
    site.write(access=ACCESS, **sections)
    site.airflow("db", "migrate")
    printed = site.airflow("dags", "test", "small.provision")
    assert ended(printed) == "successful", printed[-4000:]
    assert "access: written to the evidence, not applied" in printed
    assert SECRET not in printed
    firsts = {part: site.records(part)[-1] for part in ("pipelines", "access", "manifests")}
    for record in firsts.values():
        assert record["open_untranslated"] == 0
        for file in record["files"]:
            assert (site.evidence / file["ref"]["path"]).is_file(), file
    for path in site.evidence.rglob("*"):
        assert not path.is_file() or SECRET not in path.read_bytes().decode("latin-1"), path
    status, out, _ = heavylift(capsys, "status", "small", "--evidence", site.evidence.as_uri())
    assert status == 0
    assert "Everything is translated and written, and not applied by Heavylift" in out
    assert "not compared with the target" in out

    # The target's owner applies the permissions and exports them; a second run compares, and changes nothing.
    translation = json.loads(next(site.evidence.rglob("~access/translation-1.json")).read_text())
    target = site.specs / "access" / "target.json"
    target.write_text(json.dumps({key: translation["documents"][key] for key in ("roles", "policies")}))
    site.write(access={**ACCESS, "target_documents": ["access/target.json"]}, **sections)
    printed = site.airflow("dags", "test", "small.provision", "2026-11-01")
    assert ended(printed) == "successful", printed[-4000:]
    for part, first in firsts.items():
        again = site.records(part)[-1]
        assert (again["digest"], again["before"]) == (first["digest"], first["digest"]), part
    status, out, _ = heavylift(capsys, "status", "small", "--evidence", site.evidence.as_uri())
    assert "unchanged" in out
    assert "compared on the target, 0 differences" in out

    # Somebody widens a role there: the run fails, and says what.
    wider = json.loads(target.read_text())
    wider["roles"][0]["includedPermissions"].append("storage.objects.delete")
    target.write_text(json.dumps(wider))
    printed = site.airflow("dags", "test", "small.provision", "2026-11-02")
    assert ended(printed) == "failed"
    assert "extra storage.objects.delete" in printed
