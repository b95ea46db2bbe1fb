"""Connections: where a system is and how to prove who we are, in Airflow's own form.

The command line reads the same ``AIRFLOW_CONN_<ID>`` variables (JSON form) that Airflow
reads, so that a connection is written once; inside Airflow a hook builds the same object.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import ConnectionConfigError

_PREFIX = "AIRFLOW_CONN_"


@dataclass(frozen=True)
class Connection:
    """One system's address and credentials. Its repr shows neither password nor extra.

    :param conn_id: the name under which specs and commands know it.
    :param conn_type: Airflow's type: ``aws``, ``google_cloud_platform``, ``wasb``, ``file``, …
    """

    conn_id: str
    conn_type: str
    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    schema: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def text(self, name: str) -> str | None:
        """Return the extra field ``name`` as text, or None where it is absent or empty."""
        value = self.extra.get(name)
        return None if value in (None, "") else str(value)

    def flag(self, name: str) -> bool:
        """Return the extra field ``name`` as a truth value; ``"true"``/``"1"`` count as true."""
        value = self.extra.get(name, False)
        return value.lower() in {"1", "true", "yes"} if isinstance(value, str) else bool(value)


def http_address(connection: Connection) -> str:
    """Return the URL of a server that speaks HTTP, no slash at its end; empty where there is no host."""
    host = connection.host or ""
    if host and "://" not in host:
        scheme = "https" if connection.conn_type == "https" or connection.schema == "https" else "http"
        host = f"{scheme}://{host}" + (f":{connection.port}" if connection.port else "")
    return host.rstrip("/")


def http_authorisation(connection: Connection) -> dict[str, str]:
    """Return the headers that say who we are: by the extra field ``token``, or by login and password."""
    token = connection.text("token")
    if token:
        return {"Authorization": f"Bearer {token}"}
    if connection.login:
        pair = f"{connection.login}:{connection.password or ''}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    return {}


def connection_from_json(conn_id: str, text: str) -> Connection:
    """Parse Airflow's JSON form of a connection.

    :raises ConnectionConfigError: not JSON, or no ``conn_type``; the text itself is never shown.
    """
    try:
        raw = json.loads(text)
    except ValueError:
        raw = None
    if not isinstance(raw, dict) or not raw.get("conn_type"):
        raise ConnectionConfigError(
            f"reading connection {conn_id!r}",
            got="a value that is no JSON object with a conn_type",
            expected='{"conn_type": "...", ...}',
            state="nothing was touched",
            remedy=f"set {_PREFIX}{conn_id.upper()} in Airflow's JSON form",
            code="2301",
        )
    return connection_from_fields(conn_id, raw)


def connection_from_fields(conn_id: str, raw: Mapping[str, Any]) -> Connection:
    """Build a connection from Airflow's field names; ``extra`` may be JSON text or an object."""
    extra = raw.get("extra") or {}
    if isinstance(extra, str):
        try:
            extra = json.loads(extra)
        except ValueError:
            extra = None
    if not isinstance(extra, dict):
        raise ConnectionConfigError(
            f"reading connection {conn_id!r}",
            got="an extra field that is no JSON object",
            expected="a JSON object",
            state="nothing was touched",
            remedy=f"correct the extra field of connection {conn_id!r}",
            code="2302",
        )
    port = raw.get("port")
    return Connection(
        conn_id=conn_id,
        conn_type=str(raw["conn_type"]),
        login=raw.get("login") or None,
        password=raw.get("password") or None,
        host=raw.get("host") or None,
        port=int(port) if port else None,
        schema=raw.get("schema") or None,
        extra=extra,
    )


def connection_from_env(conn_id: str, environ: Mapping[str, str] | None = None) -> Connection:
    """Read a connection from ``AIRFLOW_CONN_<ID>``.

    :raises ConnectionConfigError: the variable is missing or unreadable.
    """
    environ = os.environ if environ is None else environ
    variable = _PREFIX + conn_id.upper()
    if variable not in environ:
        known = sorted(k.removeprefix(_PREFIX).lower() for k in environ if k.startswith(_PREFIX))
        raise ConnectionConfigError(
            f"looking up connection {conn_id!r}",
            got=f"no variable {variable}",
            expected=f"one of the connections set here: {', '.join(known) or 'none'}",
            state="nothing was touched",
            remedy=f"export {variable}='{{\"conn_type\": ...}}'; docs/guides/platform-pairs.md has examples",
            code="2303",
        )
    return connection_from_json(conn_id, environ[variable])
