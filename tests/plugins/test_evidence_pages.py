"""Evidence in the Airflow UI: behind its login, for those who may read the DAG, never run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from heavylift.evidence.paths import report_path
from heavylift_airflow.context import run_key
from heavylift_airflow.links.evidence import EvidenceLink, evidence_url
from tests.plugins.test_transfer_operators import execute, plan_task
from tests.plugins.world import NAME, RUN_ID, World

DAG_ID = f"{NAME}.transfer"


@pytest.fixture
def client(application: Any, world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a browser that is logged in as a viewer."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    monkeypatch.setenv("HEAVYLIFT_MIGRATIONS", str(world.root / "specs"))
    token = application.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="vic", role="viewer"))
    return TestClient(application, headers={"Authorization": f"Bearer {token}"}, follow_redirects=False)


@pytest.fixture
def path(world: World) -> str:
    """Return the path of a plan in the evidence store."""
    task = plan_task(world)
    execute(task)
    assert task.evidence_path is not None
    return task.evidence_path


def url(path: str, dag_id: str = DAG_ID) -> str:
    return f"/heavylift/evidence/{dag_id}/{quote(path)}"


def test_the_link_of_a_task_leads_to_its_evidence(client: Any, world: World) -> None:
    task = plan_task(world)
    execute(task)
    link = EvidenceLink().get_link(task, ti_key=SimpleNamespace(dag_id=DAG_ID))  # type: ignore[arg-type]
    answer = client.get(link)
    assert answer.status_code == 200
    assert answer.json()["dataset"] == "data"
    assert answer.headers["content-type"] == "application/json"


def test_a_task_that_wrote_nothing_has_no_link(world: World) -> None:
    key: Any = SimpleNamespace(dag_id=DAG_ID)
    assert EvidenceLink().get_link(plan_task(world), ti_key=key) == ""


def test_nobody_reads_without_a_login(client: Any, path: str) -> None:
    del client.headers["Authorization"]
    assert client.get(url(path)).status_code == 401
    assert client.get(f"/heavylift/report/{DAG_ID}/{RUN_ID}").status_code == 401


def test_nobody_reads_what_a_dag_wrote_who_may_not_read_the_dag(
    client: Any, path: str, application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def refuse(**question: Any) -> bool:
        asked.append((question["method"], question["details"].id))
        return False

    monkeypatch.setattr(application.state.auth_manager, "is_authorized_dag", refuse)
    assert client.get(url(path)).status_code == 403
    assert client.get(f"/heavylift/report/{DAG_ID}/{RUN_ID}").status_code == 403
    assert asked == [("GET", DAG_ID)] * 2


def test_a_reader_of_one_migration_does_not_reach_another(client: Any, world: World) -> None:
    (world.evidence / "other").mkdir()
    (world.evidence / "other" / "secret.json").write_text("{}")
    assert client.get(url("other/secret.json")).status_code == 404
    assert client.get(url(f"{NAME}/../other/secret.json")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        f"{NAME}/%2e%2e/other/secret.json",
        f"{NAME}/..%2f..%2fetc/passwd",
        f"{NAME}//etc/passwd",
        f"{NAME}/a\\..\\b",
        f"{NAME}/%00",
    ],
)
def test_a_path_cannot_leave_the_evidence_store(client: Any, path: str) -> None:
    assert client.get(f"/heavylift/evidence/{DAG_ID}/{path}").status_code == 404


def test_unknown_evidence_and_unknown_dags_are_not_found(client: Any) -> None:
    assert client.get(url(f"{NAME}/transfer/nothing.json")).status_code == 404
    assert client.get(url("none/transfer/x.json", "none.transfer")).status_code == 404


def test_a_report_is_shown_and_cannot_run_scripts_or_load_anything(client: Any, world: World) -> None:
    report = world.evidence / report_path(run_key(NAME, "transfer", RUN_ID), 1)
    report.parent.mkdir(parents=True)
    report.write_text("<script>alert(1)</script>")
    redirect = client.get(f"/heavylift/report/{DAG_ID}/{quote(RUN_ID)}")
    assert redirect.status_code == 307
    answer = client.get(redirect.headers["location"])
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_run_without_a_report_says_which_task_writes_it(client: Any) -> None:
    answer = client.get(f"/heavylift/report/{DAG_ID}/{quote(RUN_ID)}")
    assert answer.status_code == 404
    assert "build_report" in answer.json()["detail"]


def test_what_a_browser_cannot_show_is_downloaded(client: Any, world: World) -> None:
    manifest = world.evidence / NAME / "manifest.parquet"
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(b"PAR1")
    answer = client.get(url(f"{NAME}/manifest.parquet"))
    assert answer.content == b"PAR1"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_the_application_tells_nothing_of_itself(client: Any) -> None:
    for page in ("docs", "redoc", "openapi.json", ""):
        assert client.get(f"/heavylift/{page}").status_code == 404


def test_links_survive_an_airflow_behind_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air.example/team/")
    assert evidence_url("a.b", "m/x~3A.json") == "https://air.example/team/heavylift/evidence/a.b/m/x~3A.json"
