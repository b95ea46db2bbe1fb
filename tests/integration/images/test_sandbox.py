"""The sandbox's two registries, and the commands as a user gives them, with the sandbox's own connections."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from sandbox.http import request
from sandbox.stack import Stack
from tests.dags.specs import write
from tests.support.made_images import image, index, pulled, push
from tests.support.registries import RegistryServer


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack.start(tmp_path_factory.mktemp("sandbox"), ["images_source", "images_target"])
    yield made
    made.stop()


CONNS = ("--source-conn", "x", "--target-conn", "x")


def host(stack: Stack, name: str) -> str:
    return stack.endpoints[name].removeprefix("http://")


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    status = run(app, ["images", *map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_images_are_listed_copied_compared_and_mapped(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    source, target = host(stack, "images_source"), host(stack, "images_target")
    assert request(f"http://{target}/v2/_catalog").status == 401
    made = index([image([b"layer"])])
    open_one = RegistryServer(source, tmp_path, locked=False, pid=os.getpid())
    push(open_one, "ml/scoring", made, "1")
    both = (
        "--source", f"{source}/ml", "--target", f"{target}/moved",
        "--source-conn", "images_source", "--target-conn", "images_target",
    )  # fmt: skip
    kept = ("--evidence", (tmp_path / "evidence").as_uri())
    status, said = call(capsys, "list", *both)
    assert (status, said["images"]["planned"]) == (0, 1)
    status, said = call(capsys, "verify", *both, *kept)
    assert (status, said["images"]["rows"][0]["outcome"]) == (1, "missing")
    status, said = call(capsys, "copy", *both, "--dry-run")
    assert (status, said["images"]["planned"]) == (0, 1)
    status, said = call(capsys, "copy", *both, *kept, "--map", tmp_path / "map.json")
    assert (status, said["images"]["copied"]) == (0, 1)
    status, said = call(capsys, "verify", *both, *kept, "--deep")
    assert (status, said["images"]["equal"]) == (0, 1)
    assert pulled(open_one, "ml/scoring", "1")[1] == made.data
    named = json.loads((tmp_path / "map.json").read_text())["images"]
    new = f"{target}/moved/scoring@{made.digest}"
    assert named == {f"{source}/ml/scoring:1": new, f"{source}/ml/scoring@{made.digest}": new}
    password = json.loads(stack.env["AIRFLOW_CONN_IMAGES_TARGET"])["password"]
    texts = [
        each.read_text(errors="replace") for each in (tmp_path / "evidence").rglob("*") if each.is_file()
    ]
    assert texts
    assert not any(password in each for each in texts)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("copy",), "HL-9173"),
        (("copy", "--source", "a.example"), "HL-9172"),
        (("copy", "--source", "a", "--target", "b", "--conflict", "maybe"), "HL-9172"),
        (("list", "--source", "https://a", "--target", "b"), "HL-9172"),
        (("list", "--source", "a/b//c", "--target", "b", *CONNS), "HL-9141"),
        (("list", "--source", "a", "--target", "b", *CONNS, "--image", "A@b"), "HL-9142"),
    ],
)
def test_wrong_options_are_named(
    arguments: tuple[str, ...], code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_X", json.dumps({"conn_type": "docker"}))
    status, said = call(capsys, *arguments)
    assert (status, said["error"]["code"]) == (2, code)


def test_a_spec_without_the_section_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "some")
    status, said = call(capsys, "list", path)
    assert (status, said["error"]["code"]) == (2, "HL-9161")
