"""A copy that is killed in the middle of a large layer is carried on by the next: it sends only that."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heavylift.evidence.image_records import ImagesRecord
from tests.support.made_images import demand_whole, digest, image, push
from tests.support.oci_server import PAIR, OciServer
from tests.support.registries import RegistryServer
from tests.support.shell import start

LARGE = b"".join(number.to_bytes(8, "big") for number in range(4 << 20))
SMALL = [f"layer {number}".encode() * 200_000 for number in range(5)]


def environment(source: OciServer, target: RegistryServer) -> dict[str, str]:
    here = {"conn_type": "docker", "host": source.url, "login": PAIR[0], "password": PAIR[1]}
    return {
        **os.environ,
        "AIRFLOW_CONN_HERE": json.dumps(here),
        "AIRFLOW_CONN_THERE": json.dumps(target.fields()),
    }


def finished(target: RegistryServer, name: str) -> list[str]:
    """Return the blobs whose upload a registry has logged as done, in their order."""
    lines = (target.data.parent / "registry.log").read_text().splitlines()
    done = [line for line in lines if "response completed" in line and "http.request.method=PUT" in line]
    mine = [line for line in done if f"/v2/{name}/blobs/uploads/" in line and "status=201" in line]
    return [line.partition("digest=sha256%3A")[2].split("&")[0].split('"')[0][:64] for line in mine]


def test_what_was_finished_is_not_sent_again(
    small: Callable[..., OciServer], real: tuple[RegistryServer, RegistryServer], tmp_path: Path
) -> None:
    source, target = small(), real[1]
    made = image([*SMALL, LARGE])
    push(source, "ml/model", made, "1")
    source.hold[digest(LARGE)] = threading.Event()
    given = environment(source, target)
    command = [
        "images", "copy", "--source", f"{source.host}/ml", "--target", f"{target.host}/killed",
        "--source-conn", "here", "--target-conn", "there", "--evidence", tmp_path.as_uri(), "--json",
    ]  # fmt: skip
    running = start(command, given)
    assert source.reached.wait(60)
    # All else has arrived, and the large layer is half way through.
    wait_for(lambda: len(finished(target, "killed/model")) == len(SMALL) + 1)
    os.kill(running.pid, signal.SIGKILL)
    assert running.end()[0] == -signal.SIGKILL
    source.hold.pop(digest(LARGE)).set()
    before = finished(target, "killed/model")
    assert digest(LARGE)[7:] not in before
    status, _, _ = target.ask("GET", "/v2/killed/model/manifests/1")
    assert status == 404

    status, output, errors = start(command, given).end()
    assert status == 0, errors
    record = ImagesRecord.model_validate(json.loads(output)["images"])
    assert (record.copied, record.sent, record.sent_bytes) == (1, 1, len(LARGE))
    after = finished(target, "killed/model")
    assert after == [*before, digest(LARGE)[7:]]
    demand_whole(target, "killed/model", made, "1")


def wait_for(holds: Callable[[], Any]) -> None:
    ticking = threading.Event()
    for _ in range(3000):
        if holds():
            return
        ticking.wait(0.02)
    pytest.fail("it did not come to that")
