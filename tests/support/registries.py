"""Real container registries (the CNCF's distribution), each with its own folder, on ports of the OS."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from heavylift.connections import Connection, connection_from_fields
from sandbox import registry_programs

LOGIN, PASSWORD = "mover", "a throw-away word"
_HTPASSWD = f"{LOGIN}:$2b$04$abcdefghijklmnopqrstuuQqPk7RQYRTDpf3x/0q6dVQhLYqrnoSC\n"
_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class RegistryServer:
    """A running registry.

    :param data: its folder; what lies in there is what it keeps.
    """

    host: str
    data: Path
    locked: bool
    pid: int

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def fields(self, host: str = "", password: str = PASSWORD) -> dict[str, object]:
        """Return a connection's fields, through ``host`` where something stands before the registry."""
        login = {"login": LOGIN, "password": password} if self.locked else {}
        return {"conn_type": "docker", "host": f"http://{host or self.host}", **login}

    def connection(self, name: str, host: str = "", password: str = PASSWORD) -> Connection:
        return connection_from_fields(name, self.fields(host, password))

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request that owes nothing to the client under test."""
        given = dict(headers or {})
        if self.locked:
            given["Authorization"] = "Basic " + base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
        url = path if "://" in path else f"{self.url}{path}"
        request = urllib.request.Request(url, data=body, method=method, headers=given)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


@contextmanager
def registry(folder: Path, *, locked: bool = False) -> Iterator[RegistryServer]:
    """Run a registry that keeps its data below ``folder`` for the length of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(data)}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0"},
        "validation": {"manifests": {"urls": {"allow": ["^https://go[.]microsoft[.]com/"]}}},
    }
    if locked:
        (folder / "htpasswd").write_text(_HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    file = folder / "config.json"  # JSON is YAML
    file.write_text(json.dumps(config))
    log = folder / "registry.log"
    program = registry_programs.registry()
    environment = {
        "PATH": os.environ["PATH"],
        "OTEL_TRACES_EXPORTER": "none",
        **registry_programs.libraries(),
    }
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [program, "serve", str(file)], stdout=stream, stderr=stream, env=environment
        )
    try:
        yield RegistryServer(f"127.0.0.1:{_port(log, server)}", data, locked, server.pid)
    finally:
        server.terminate()
        server.wait(20)


def _port(log: Path, server: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = _LISTENING.search(log.read_text(errors="replace"))
        if found:
            return int(found[1])
        if server.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"the registry does not listen: {log.read_text(errors='replace')[-2000:]}")
