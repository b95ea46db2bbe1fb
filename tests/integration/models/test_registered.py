"""Models by their names in real registries: checked, compared, and paired with their copies."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.aio import run as wait_for
from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.errors import UnsupportedError
from heavylift.platforms.registered import Registered
from heavylift.registry.named import open_registry
from tests.support.interface_moves import Moves
from tests.support.tracking_server import Server, servers

Shell = Callable[..., tuple[int, Any]]
API = "api/2.0/mlflow"


def register(server: Server, name: str, folder: Path, *, alias: str = "") -> str:
    """Upload a model's folder through the server and register it, as any client would."""
    made = server.ask("POST", f"{API}/logged-models", {"experiment_id": "0", "name": name})["model"]["info"]
    place = made["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            path = urllib.parse.quote(f"{place}/{file.relative_to(folder).as_posix()}")
            server.ask("PUT", f"{API}-artifacts/artifacts/{path}", file.read_bytes())
    ready = {"model_id": made["model_id"], "status": "LOGGED_MODEL_READY"}
    server.ask("PATCH", f"{API}/logged-models/{made['model_id']}", ready)
    body = {"name": name, "source": f"models:/{made['model_id']}", "model_id": made["model_id"]}
    number = server.ask("POST", f"{API}/model-versions/create", body)["model_version"]["version"]
    if alias:
        server.ask(
            "POST",
            f"{API}/registered-models/alias",
            {"name": name, "alias": alias, "version": number},
        )
    return str(number)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers: ``fraud`` has a retrained version 2 on the source, and was moved through the interface."""
    with servers(tmp_path_factory.mktemp("tracking"), "mlsource", "mltarget") as (source, target):
        source.ask("POST", f"{API}/registered-models/create", {"name": "fraud"})
        register(source, "fraud", models / "skops", alias="champion")
        register(source, "fraud", models / "retrained")
        record, _ids = Moves(source.connection, target.connection).copy()
        assert not record.failures
        yield source, target


@pytest.fixture
def shell(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    pair: tuple[Server, Server],
) -> Shell:
    for server in pair:
        found = {"conn_type": "mlflow", "host": server.url}
        monkeypatch.setenv(f"AIRFLOW_CONN_{server.name.upper()}", json.dumps(found))

    def command(name: str, *more: object) -> tuple[int, Any]:
        evidence = ("--evidence", (tmp_path / "evidence").as_uri(), "--json")
        conns = ("--source-conn", "mlsource", "--target-conn", "mltarget")
        status = run(app, ["models", name, *map(str, more), *conns, *evidence])
        return status, json.loads(capsys.readouterr().out)

    return command


@pytest.mark.long
def test_a_version_and_an_alias_on_both_servers_are_compared(models: Path, shell: Shell) -> None:
    golden = ("--golden", models / "golden.parquet", "--label", "truth", "--drop", "region", "--no-latency")
    status, document = shell("compare", "models:/fraud@champion", "models:/fraud@champion", *golden)
    found = document["comparison"]
    assert status == 0, document
    assert (found["model"], found["version"], found["mismatched"]) == ("fraud", "champion", 0)
    for side in ("source", "target"):
        assert found[side]["url"].startswith("models:/fraud/1 at mlflow-artifacts:/")
    status, document = shell("check", "models:/fraud/1", "models:/fraud/2")
    assert status == 1
    assert {"digest-differs"} <= {each["rule"] for each in document["check"]["findings"]}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("models:/fraud/9", "7802"),
        ("models:/fraud@nobody", "7802"),
        ("models:/none/1", "7802"),
        ("models:/fraud", "7801"),
    ],
)
def test_a_name_that_stands_for_nothing_is_told(shell: Shell, name: str, code: str) -> None:
    status, document = shell("check", name)
    assert status != 0
    assert document["error"]["code"] == f"HL-{code}"


def test_the_copy_of_a_version_is_found_by_the_moves_marks(pair: tuple[Server, Server]) -> None:
    source, target = pair
    first = Registered("fraud", "1", "", source.connection)
    copy = replace(first, connection=target.connection, copied_by="m/history")

    async def number(wanted: Registered) -> str:
        async with open_registry(wanted) as registry:
            return str(await registry.find(wanted))

    assert wait_for(number(copy)) == "models:/fraud/1"
    # Another name there, as where a conflict of names was mapped.
    target.ask("POST", f"{API}/registered-models/rename", {"name": "fraud", "new_name": "fraud-2"})
    assert wait_for(number(copy)) == "models:/fraud-2/1"
    target.ask("POST", f"{API}/registered-models/rename", {"name": "fraud-2", "new_name": "fraud"})
    source.ask(
        "POST",
        f"{API}/model-versions/create",
        {"name": "fraud", "source": "wasbs://box@account.blob.core.windows.net/m"},
    )
    with pytest.raises(UnsupportedError, match="7804"):
        wait_for(number(Registered("fraud", "3", "", source.connection)))
