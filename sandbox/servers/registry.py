"""A container registry, the CNCF's distribution: the source's is open, the target's asks who comes."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import secrets

from heavylift.errors import UnsupportedError
from sandbox import registry_programs
from sandbox.http import NotReadyError, expect, request
from sandbox.model import Connection, Launch, Place, Server
from sandbox.state import write_private

LOGIN = "heavylift"
_ROUNDS = "$2b$05$"


def server(name: str, title: str, *, locked: bool = False) -> Server:
    """Return a registry.

    :param locked: it takes and gives nothing without a login.
    """
    return Server(
        name=name,
        title=title,
        ports=("http",),
        launch=_launch,
        probe=_probe,
        connection=_connection,
        secrets=(lambda: {"password": secrets.token_urlsafe(24)}) if locked else dict,
        prepare=_prepare,
        # No package index for Python has the program: see registry_programs.
        on_request=True,
    )


def _prepare(place: Place) -> None:
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str((place.home / "data").resolve())}},
        "http": {"addr": f"127.0.0.1:{place.ports['http']}"},
    }
    if place.secrets:
        file = place.home / "htpasswd"
        write_private(file, f"{LOGIN}:{hashed(place.secrets['password'])}\n")
        config["auth"] = {"htpasswd": {"realm": "sandbox", "path": str(file.resolve())}}
    write_private(place.home / "config.json", json.dumps(config))  # JSON is YAML


def hashed(password: str) -> str:
    """Return the bcrypt hash of a password, which is all that the registry takes.

    :raises UnsupportedError: this system's own crypt does not know bcrypt.
    """
    alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    salt = _ROUNDS + "".join(secrets.choice(alphabet) for _ in range(21)) + "u"
    name = ctypes.util.find_library("crypt")
    found = b""
    if name:
        crypt = ctypes.CDLL(name).crypt
        crypt.restype = ctypes.c_char_p
        found = crypt(password.encode(), salt.encode()) or b""
    if not found.startswith(_ROUNDS.encode()):
        raise UnsupportedError(
            "starting a registry with a login",
            got="no bcrypt in this system's libcrypt",
            expected="one that knows $2b$, as Linux distributions have",
            state="nothing was started",
            remedy="use such a machine, or leave images_target out",
            code="9177",
        )
    return found.decode()


def _launch(place: Place) -> Launch:
    argv = [registry_programs.registry(), "serve", str(place.home.resolve() / "config.json")]
    env = {"OTEL_TRACES_EXPORTER": "none", **registry_programs.libraries()}
    return Launch(place.name, argv, str(place.log), str(place.home), env)


def _probe(place: Place) -> None:
    if place.secrets:
        answer = request(f"{place.url}/v2/")
        if answer.status != 401:
            raise NotReadyError(f"GET {place.url}/v2/ answered {answer.status} without a login")
        return
    expect(f"{place.url}/v2/")


def _connection(place: Place) -> Connection:
    login = {"login": LOGIN, "password": place.secrets["password"]} if place.secrets else {}
    return {"conn_type": "docker", "host": place.url, **login}
