"""The board in the Airflow UI: behind its login, by its permissions, and never on an outage's clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heavylift_airflow.ui import board_app
from tests.support.board_place import Place

Browser = Callable[..., Any]
PAGES = (
    "/board",
    "/board/m/small",
    "/board/api/migrations",
    "/board/api/migrations/small",
    "/board/static/board.js",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a folder with two migrations, one of which waits for an approval."""
    place = Place(tmp_path / "place")
    place.spec()
    place.spec("other")
    place.gate(place.run())
    place.summary(place.run("sync", "other"))
    store = {"conn_type": "file", "extra": {"path": str(place.evidence)}}
    monkeypatch.setenv("AIRFLOW_CONN_EVIDENCE", json.dumps(store))
    return place


@pytest.fixture
def browse(application: Any, place: Place) -> Browser:
    """Return what opens a browser for somebody with a role; for nobody where it is empty."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()
    index = place.index()
    index.refresh()
    board_app.Board(index).add_to(app)

    def open_as(role: str = "viewer") -> Any:
        client = TestClient(app, follow_redirects=False)
        if role:
            user = SimpleAuthManagerUser(username=f"a {role}", role=role)
            client.headers["Authorization"] = f"Bearer {application.state.auth_manager.generate_jwt(user)}"
        return client

    return open_as


def deny(application: Any, monkeypatch: pytest.MonkeyPatch, *denied: tuple[str, str]) -> None:
    """Have Airflow refuse a method on a DAG, and allow all else."""
    asked: list[Any] = []

    def decide(**question: Any) -> bool:
        asked.append(question["access_entity"])
        return (question["method"], question["details"].id) not in denied

    monkeypatch.setattr(application.state.auth_manager, "is_authorized_dag", decide)


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_shown_without_a_login(browse: Browser, page: str) -> None:
    assert browse("").get(page).status_code == 401
    wrong = browse("")
    wrong.headers["Authorization"] = "Bearer not-a-token"
    assert wrong.get(page).status_code in (401, 403)


def test_airflow_serves_it_where_its_navigation_points(application: Any, world: Any) -> None:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    from heavylift_plugin import HeavyliftPlugin

    (view,) = (each for each in HeavyliftPlugin.external_views if each["destination"] == "nav")
    assert TestClient(application).get(view["href"]).status_code == 401
    token = application.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="v", role="viewer"))
    answer = TestClient(application, cookies={"_token": token}).get(view["href"])
    assert answer.status_code == 200
    assert "Migrations" in answer.text


def test_the_list_shows_who_waits_and_where_to_answer(browse: Browser) -> None:
    text = browse().get("/board").text
    assert text.index('href="/heavylift/board/m/small"') < text.index('href="/heavylift/board/m/other"')
    assert "/dags/small.transfer/runs/" in text
    assert "/tasks/gate_proved.approve/required_actions" in text


def test_search_filter_and_pages_are_in_the_address(browse: Browser) -> None:
    names = lambda query: [  # noqa: E731
        each["name"] for each in browse().get(f"/board/api/migrations{query}").json()["migrations"]
    ]
    assert names("") == ["small", "other"]
    assert names("?q=OTHER") == ["other"]
    assert names("?state=waiting") == ["small"]
    assert names("?sort=name&page=9") == ["other", "small"]
    assert browse().get("/board?page=0").status_code == 422
    assert browse().get("/board?q=" + "x" * 201).status_code == 422


def test_who_may_not_read_a_dag_sees_nothing_of_it(
    browse: Browser, application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny(
        application, monkeypatch, ("GET", "small.transfer"), ("GET", "other.transfer"), ("GET", "other.sync")
    )
    listed = browse().get("/board/api/migrations").json()
    assert [each["name"] for each in listed["migrations"]] == ["small"]
    assert [each["phase"] for each in listed["migrations"][0]["phases"]] == ["sync"]
    assert listed["counts"]["waiting"] == 0
    page = browse().get("/board/m/small").text
    assert "gate_proved" not in page
    assert "small.transfer" not in page


def test_a_migration_that_one_may_not_read_is_as_one_that_is_not_there(
    browse: Browser, application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application.state.auth_manager, "is_authorized_dag", lambda **_: False)
    hidden, absent = (browse().get(f"/board/m/{name}") for name in ("small", "absent"))
    assert (hidden.status_code, hidden.json()) == (absent.status_code, absent.json())
    assert hidden.status_code == 404
    assert browse().get("/board/api/migrations").json()["total"] == 0


def test_readers_are_offered_nothing_to_start_and_airflow_refuses_them(
    browse: Browser, application: Any
) -> None:
    from fastapi.testclient import TestClient

    assert "data-dag=" not in browse("viewer").get("/board/m/small").text
    assert 'data-dag="small.transfer"' in browse("user").get("/board/m/small").text
    # What the button would send, sent all the same: Airflow itself says no.
    viewer = TestClient(application, headers=browse("viewer").headers)
    path = "/api/v2/dags/small.transfer/dagRuns"
    assert viewer.post(path, json={"logical_date": None}).status_code == 403


def test_cutover_and_rollback_are_started_in_airflow_only(browse: Browser, place: Place) -> None:
    place.summary(place.run("cutover"))
    text = browse("admin").get("/board/m/small").text
    assert 'href="/dags/small.cutover/runs/' in text
    assert 'data-dag="small.cutover"' not in text


def test_nothing_can_be_done_by_a_request_to_the_board(browse: Browser) -> None:
    for page in PAGES:
        assert browse("admin").post(page).status_code == 405
        assert browse("admin").delete(page).status_code == 405


def test_a_page_with_nothing_new_is_not_sent_again(browse: Browser, place: Place) -> None:
    client = browse()
    for page in ("/board", "/board/m/small"):
        first = client.get(page)
        again = client.get(page, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    place.answer(place.run(), place.gate(place.run()))
    changed = client.get("/board/m/small", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert "was approved by Ada" in changed.text


def test_only_own_scripts_run_and_nothing_is_loaded_from_elsewhere(browse: Browser) -> None:
    client = browse()
    for page in ("/board", "/board/m/small"):
        answer = client.get(page)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        loaded = [
            part.split('"')[1] for part in answer.text.split("src=")[1:] + answer.text.split("<link ")[1:]
        ]
        assert not [each for each in loaded if "//" in each]
        assert "style=" not in answer.text
        assert "onclick" not in answer.text


def test_static_files_are_the_named_ones_only(browse: Browser) -> None:
    client = browse()
    for name, kind in board_app.STATIC.items():
        answer = client.get(f"/board/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
    for name in ("uPlot.LICENSE", "..%2fpage.py", "%2e%2e/templates/list.html"):
        assert client.get(f"/board/static/{name}").status_code == 404


def test_a_store_that_does_not_answer_is_told_in_time(
    browse: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(board_app, "STORE_SECONDS", 0.05)
    monkeypatch.setattr(board_app.DetailReader, "read", never)
    answer = browse().get("/board/m/small")
    assert answer.status_code == 503
    assert "gave no answer within 0.05 s" in answer.text
    assert browse().get("/board/api/migrations/small").status_code == 503
    assert browse().get("/board").status_code == 200


def test_a_connection_that_is_missing_is_told_with_its_remedy(
    browse: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_EVIDENCE")
    answer = browse().get("/board/m/small")
    assert answer.status_code == 503
    assert "[HL-" in answer.text


def test_without_a_spec_the_page_says_how_one_appears(
    application: Any, browse: Browser, place: Place
) -> None:
    for spec in place.specs.iterdir():
        spec.unlink()
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    index = place.index()
    index.refresh()
    app = FastAPI()
    board_app.Board(index).add_to(app)
    answer = TestClient(app, headers=browse().headers).get("/board")
    assert "No migrations yet" in answer.text
