"""A schema whose making was stopped is not noted as finished: the next run makes the rest."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from heavylift.tables.postgres import schema_copy


@pytest.mark.parametrize("asked_to_stop", [False, True])
def test_only_a_schema_that_is_whole_is_noted_as_such(
    monkeypatch: pytest.MonkeyPatch, asked_to_stop: bool
) -> None:
    noted: list[str] = []
    stop = threading.Event()

    def make_some(*_: Any, stop: threading.Event, **__: Any) -> tuple[()]:
        if asked_to_stop:
            stop.set()  # as it comes while indexes are built
        return ()

    monkeypatch.setattr(schema_copy, "ensure_notes", lambda _session: None)
    monkeypatch.setattr(schema_copy, "read_notes", lambda _session, _stream: {})
    monkeypatch.setattr(schema_copy, "_make_all", make_some)
    monkeypatch.setattr(schema_copy, "note", lambda _session, _stream, digest, *_, **__: noted.append(digest))
    request = SimpleNamespace(
        stream="s",
        target=SimpleNamespace(connection=None),
        options=SimpleNamespace(parallel_ranges=2),
    )
    sessions: dict[str, Any] = {"source": None, "target": None}
    schema_copy.finish_schema(request, **sessions, entries=(), stop=stop)  # type: ignore[arg-type]
    assert noted == ([] if asked_to_stop else [schema_copy.FINISHED])
