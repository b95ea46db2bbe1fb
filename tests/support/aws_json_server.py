"""A small AWS service of the JSON protocol that checks requests and its own answers by botocore's model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Ask = Callable[[dict[str, Any]], dict[str, Any]]
"""From the arguments of an operation to its answer; raises :class:`RefusedError`."""


class RefusedError(Exception):
    """What the service answers instead: its code and a message."""


@cache
def model_of(service: str) -> Any:
    """Return botocore's model of a service."""
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def check(shape: Any, value: Any, where: str) -> None:
    """Raise where ``value`` is not of a published shape; unknown fields are errors.

    :raises AssertionError: it is not.
    """
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), f"{where}: {report.generate_report()}"
    _known(shape, value, where)


def _known(shape: Any, value: Any, where: str) -> None:
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{where}: unknown {sorted(unknown)}"
        for name, each in value.items():
            _known(shape.members[name], each, f"{where}.{name}")
    if shape.type_name == "list":
        for each in value:
            _known(shape.member, each, f"{where}[]")


@contextmanager
def aws_json(service: str, operations: Mapping[str, Ask]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Serve operations; yields the URL, and the list of what was asked."""
    asked: list[tuple[str, Any]] = []
    model = model_of(service)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            name = self.headers["X-Amz-Target"].rpartition(".")[2]
            operation = model.operation_model(name)
            check(operation.input_shape, body, name)
            asked.append((name, body))
            try:
                answer = operations[name](body)
                check(operation.output_shape, answer, name)
                status = 200
            except RefusedError as refused:
                status, answer = 400, {"__type": refused.args[0], "message": refused.args[1]}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
