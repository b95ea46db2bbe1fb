"""``heavylift cutover traffic`` with a real Envoy."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from heavylift.cutover.traffic.envoy import EnvoyTraffic
from sandbox.stack import Stack
from tests.support.shell import start

CONN = ("--traffic-conn", "traffic")


def run(stack: Stack, *arguments: str) -> tuple[int, dict[str, Any]]:
    command = start(["cutover", "traffic", *arguments, "--json"], {**os.environ, **stack.env})
    status, output, _ = command.end()
    found = json.loads(output)
    assert isinstance(found, dict)
    return status, found


def test_it_shows_and_shifts(proxied: Stack) -> None:
    status, found = run(proxied, "show", *CONN)
    assert (status, found["exit_status"]) == (0, 0)
    epoch = found["split"]["epoch"] + 1
    asked = ("--target-percent", "25", "--mirror-percent", "10", "--epoch", str(epoch))
    status, planned = run(proxied, "shift", *CONN, *asked, "--dry-run")
    assert status == 0
    assert planned["split"] == found["split"]
    assert planned["planned"]["target_percent"] == 25
    assert run(proxied, "show", *CONN)[1]["split"] == found["split"]
    status, made = run(proxied, "shift", *CONN, *asked)
    assert status == 0
    assert [made["split"][name] for name in ("target_percent", "mirror_percent", "epoch")] == [25, 10, epoch]
    status, refused = run(proxied, "shift", *CONN, "--target-percent", "0", "--epoch", str(epoch - 1 or 1))
    if epoch > 1:
        assert (status, refused["error"]["code"]) == (1, "HL-8701")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--traffic-conn", "evidence"), "HL-8724"),
        (("--traffic-conn", "nobody"), "HL-2303"),
        (("--traffic-conn", "traffic", "--adapter", "dns"), "HL-8724"),
    ],
)
def test_a_wrong_connection_is_refused(
    proxied: Stack, traffic: EnvoyTraffic, options: tuple[str, ...], code: str
) -> None:
    text = traffic.settings.file.read_text()
    status, found = run(proxied, "shift", *options, "--target-percent", "50", "--epoch", "99")
    assert (status, found["error"]["code"]) == (2, code)
    assert traffic.settings.file.read_text() == text
