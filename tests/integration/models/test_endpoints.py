"""Two scoring servers are compared by the same machinery as two models."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heavylift.cli import app
from heavylift.cli.run import run

ANY_RATIO = "1e9"
"""How fast two servers of one busy machine answer is measured here, and not judged."""


class Scorer(BaseHTTPRequestHandler):
    """Answers as MLflow's scoring server does."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet
    weight = 2.0
    status = 200

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["dataframe_split"]
        place = asked["columns"].index("x")
        answers = [self.answer(row[place]) for row in asked["data"]]
        content = json.dumps({"predictions": answers}).encode()
        self.send_response(self.status if self.path == "/invocations" else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def answer(self, value: float) -> float:
        return self.weight * value

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that starts a server behind a connection."""
    servers: list[ThreadingHTTPServer] = []

    def start(conn_id: str, **changes: Any) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Scorer,), changes))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_address[1]}"
        found = {"conn_type": "http", "host": host, "extra": {"token": "not-shown"}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(found))

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [({}, 0, "answered differently"), ({"weight": 2.001}, 1, "600 rows"), ({"status": 503}, 1, "HTTP 503")],
)
def test_servers_that_answer_alike_agree_and_others_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], serve: Callable[..., None], target: dict[str, Any],
    status: int, words: str,
) -> None:  # fmt: skip
    serve("old")
    serve("new", **target)
    rows = "\n".join(f"{number / 7},text" for number in range(1, 601))
    (tmp_path / "golden.csv").write_text(f"x,y\n{rows}\n")
    command = [
        "models", "compare", "--source-endpoint", "old", "--target-endpoint", "new", "--golden",
        str(tmp_path / "golden.csv"), "--requests", "100",
        "--warm-up", "5", "--max-latency-ratio", ANY_RATIO, "--evidence",
        (tmp_path / "evidence").as_uri(), "--json",
    ]  # fmt: skip
    found = run(app, command)
    printed = capsys.readouterr().out
    assert (found == 0) == (status == 0), printed
    assert words in printed
    assert "not-shown" not in printed
    if status != 1 or "weight" in target:
        document = json.loads(printed)["comparison"]
        assert document["rows"] == 600
        assert document["source"]["url"] == "endpoint old"
        assert document["latency"]["requests"] == 100


def noisy(value: float) -> float:
    return 2.0 * value + 1e-3 * float(CHANCE.standard_t(2))


CHANCE = np.random.default_rng(7)


@pytest.mark.parametrize(
    ("source", "target", "status", "words"),
    [
        (noisy, noisy, 0, "target-not-repeatable"),
        (noisy, lambda value: noisy(value) + 500 * (value == 10.0), 1, "row 69, counted from 0"),
        (noisy, lambda value: 1.01 * noisy(value), 1, "both answers of the target stand apart"),
        (lambda value: value, lambda value: value + (value == 10.0), 1, "row 69, counted from 0"),
        (lambda value: value, lambda value: 86.0 - value, 1, "and 594 more"),
    ],
    ids=["noisy", "one row in noise", "another model in noise", "one row", "another order"],
)
def test_noise_is_no_difference_and_one_row_that_differs_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], serve: Callable[..., None],
    source: Callable[[float], float], target: Callable[[float], float], status: int, words: str,
) -> None:  # fmt: skip
    serve("old", answer=lambda _self, value: source(value))
    serve("new", answer=lambda _self, value: target(value))
    rows = "\n".join(f"{number / 7}" for number in range(1, 601))
    (tmp_path / "golden.csv").write_text(f"x\n{rows}\n")
    command = [
        "models", "compare", "--source-endpoint", "old", "--target-endpoint", "new", "--golden",
        str(tmp_path / "golden.csv"), "--no-latency", "--evidence", (tmp_path / "evidence").as_uri(),
        "--json",
    ]  # fmt: skip
    found = run(app, command)
    printed = capsys.readouterr().out
    assert found == status, printed
    assert words in printed
