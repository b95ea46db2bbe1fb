"""Airflow's own API server with the plugin, and a real browser that is logged in."""

from __future__ import annotations

import json
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.browser import open_browser
from tests.support.board_place import Place


@dataclass(frozen=True)
class Airflow:
    """A running API server.

    :param token_of: from a role to the token of somebody who has it.
    """

    url: str
    place: Place
    token_of: Callable[[str], str]


@pytest.fixture(scope="module")
def airflow(airflow_database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Return Airflow's API server on a port of its own, with specs and evidence of its own."""
    place = Place(tmp_path_factory.mktemp("board"))
    store = {"conn_type": "file", "extra": {"path": str(place.evidence)}}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # What Airflow and its web framework warn of while they start is not ours.
        warnings.simplefilter("ignore")
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "0" * 64)
        patch.setenv("HEAVYLIFT_MIGRATIONS", str(place.specs))
        patch.setenv("AIRFLOW_CONN_EVIDENCE", json.dumps(store))
        yield from _serving(place)


def _serving(place: Place) -> Iterator[Airflow]:
    import uvicorn
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    app = create_app(apps="core")

    def token_of(role: str) -> str:
        user = SimpleAuthManagerUser(username=role, role=role)
        return str(app.state.auth_manager.generate_jwt(user))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield Airflow(f"http://127.0.0.1:{listener.getsockname()[1]}", place, token_of)
        finally:
            server.should_exit = True
            thread.join(30)
            purge_cached_app()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Return a headless Chromium."""
    with open_browser() as window:
        yield window


@pytest.fixture
def open_page(airflow: Airflow, chromium: Any) -> Iterator[Callable[..., Any]]:
    """Return what opens a page for somebody; what the browser complains of fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_as(role: str = "viewer", *, refused: bool = False, **settings: Any) -> Any:
        context = chromium.new_context(base_url=airflow.url, locale="en-GB", **settings)
        contexts.append(context)
        context.add_cookies([{"name": "_token", "value": airflow.token_of(role), "url": airflow.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def hear(line: Any) -> None:
            # Chromium complains of each refusal, also where the test is about one.
            if line.type == "error" and not (refused and "403" in line.text):
                complaints.append(line.text)

        page.on("console", hear)
        return page

    yield open_as
    for context in contexts:
        context.close()
    assert complaints == []
