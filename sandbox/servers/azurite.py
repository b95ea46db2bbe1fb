"""Azure Blob Storage, played by Azurite."""

from __future__ import annotations

import base64
import secrets

from sandbox import node
from sandbox.http import NotReadyError, request
from sandbox.model import Connection, Launch, Place, Server

ACCOUNT = "devstoreaccount1"


def server(name: str) -> Server:
    """Return the Blob server; its first preparation installs Azurite."""
    return Server(
        name=name,
        title="Blob Storage (Azurite)",
        ports=("http",),
        launch=_launch,
        probe=_probe,
        connection=_connection,
        secrets=lambda: {"account_key": base64.b64encode(secrets.token_bytes(64)).decode()},
        prepare=_prepare,
    )


def _prepare(place: Place) -> None:
    place.home.mkdir(parents=True, exist_ok=True)
    node.azurite()


def _launch(place: Place) -> Launch:
    tool = node.azurite()
    argv = [
        tool.node,
        tool.script,
        *("--blobHost", "127.0.0.1", "--blobPort", str(place.ports["http"])),
        *("-l", str(place.home), "--silent", "--disableTelemetry", "--skipApiVersionCheck"),
    ]
    keys = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{place.secrets['account_key']}"}
    return Launch(place.name, argv, str(place.log), str(place.home), env=keys)


def _probe(place: Place) -> None:
    answer = request(f"{place.url}/{ACCOUNT}?comp=list")
    if not answer.headers.get("Server", "").startswith("Azurite"):
        raise NotReadyError(f"GET {place.url} was answered by {answer.headers.get('Server')!r}, not Azurite")


def _connection(place: Place) -> Connection:
    return {
        "conn_type": "wasb",
        "login": ACCOUNT,
        "password": place.secrets["account_key"],
        "host": f"{place.url}/{ACCOUNT}",
    }
