"""A small Google API that checks requests and its own answers by the published discovery documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.discovery import load
from tests.support.json_server import JsonServer

Asked = list[tuple[str, dict[str, str]]]
Ask = Callable[[dict[str, str]], Any]
"""From the query to the answer, or to status and answer."""


@contextmanager
def google_json(
    methods: Mapping[tuple[str, str], Ask],
) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Serve methods: document and path → answer; yields the URL, and the list of what was asked.

    The service's name stands before the path, as ``endpoint_url`` of a connection has it.
    """
    asked: list[tuple[str, dict[str, str]]] = []

    def answer(http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(target)
        service, _, path = parts.path.strip("/").partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        name, ask = next(
            (document, ask)
            for (document, wanted), ask in methods.items()
            if document.partition(".")[0] == service and wanted == path
        )
        discovery = load(name)
        short = path.removeprefix("compute/v1/")
        method = discovery.find(http, short)
        assert method is not None, f"{name} has no {http} {short}"
        discovery.check(method, query, body)
        asked.append((path, query))
        found = ask(query)
        return found if isinstance(found, tuple) else (200, found)

    server = JsonServer(answer)
    try:
        yield server.url, asked
    finally:
        server.close()
