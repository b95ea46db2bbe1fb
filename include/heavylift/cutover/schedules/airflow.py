"""Airflow's own DAGs: paused and unpaused over its REST API; the epoch is a Variable.

The API knows no precondition: the Variable is written first, so that a lower epoch is refused from then on,
and both are read back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from heavylift.connections import Connection
from heavylift.cutover.schedules.ports import Seen
from heavylift.cutover.schedules.setting import (
    Looked,
    SetSchedule,
    epoch_in,
    moment,
    no_such_schedule,
    run_name,
    wrong_schedule_connection,
)
from heavylift.errors import HeavyliftError, NotFoundError, PreconditionError
from heavylift.platforms.http import HttpClient, HttpSettings, Request
from heavylift.platforms.http_errors import error_for_status
from heavylift.platforms.rest_changes import RestChanges

_API = "api/v2"
_SCHEDULED = "scheduled"


class AirflowDag(SetSchedule):
    """One DAG of an Airflow 3.

    :param connection: type ``http``; ``host`` is the API server's URL, login and password are its user's.
    :param dag_id: the DAG.
    """

    def __init__(self, connection: Connection, dag_id: str) -> None:
        super().__init__(f"DAG {dag_id!r} of Airflow")
        if connection.conn_type not in ("http", "https", "airflow"):
            raise wrong_schedule_connection(connection, f"the type {connection.conn_type!r}", "type http")
        if not connection.host or not connection.login or not connection.password:
            raise wrong_schedule_connection(connection, "no host, login or password", "all three")
        self._dag = f"{_API}/dags/{quote(dag_id, safe='')}"
        self._variable = f"heavylift_schedule_epoch:{dag_id}"
        self._login = Login(_url(connection), connection.login, connection.password)
        self._api = RestChanges(self._login.url, self._login.headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()
        await self._login.close()

    async def look(self) -> Looked:
        """Return whether it is paused, and its last scheduled run."""
        try:
            dag = await self._api.get(self._dag)
        except NotFoundError as error:
            raise no_such_schedule(self.name, "no DAG of that id", "one that Airflow has parsed") from error
        last = await self._runs({"order_by": "-run_after", "run_type": _SCHEDULED, "limit": "1"})
        running = await self._runs({"state": "running", "limit": "1"})
        newest: Mapping[str, Any] = next(iter(last.get("dag_runs") or ()), {})
        ran = moment(newest.get("run_after") or newest.get("logical_date"))
        epoch = await self._epoch()
        enabled = not bool(dag.get("is_paused"))
        return Looked(Seen(enabled, epoch, ran, int(running.get("total_entries") or 0)), dag)

    async def change(self, seen: Looked, *, enabled: bool, epoch: int) -> None:
        """Write the Variable, then pause or unpause."""
        await self._write_epoch(epoch)
        if seen.seen.enabled != enabled:
            await self._api.change(
                "PATCH", self._dag, {"is_paused": not enabled}, {"update_mask": "is_paused"}
            )

    async def run_once(self, due: datetime) -> bool:
        """Trigger the DAG under a name that ``due`` decides."""
        body = {
            "dag_run_id": run_name(due),
            "logical_date": None,
            "note": f"due at {due.astimezone(UTC):%Y-%m-%d %H:%M} UTC, while a switch held the schedule",
        }
        with suppress(PreconditionError):  # it was triggered already
            await self._api.change("POST", f"{self._dag}/dagRuns", body)
        return True

    async def _runs(self, query: Mapping[str, str]) -> dict[str, Any]:
        return await self._api.get(f"{self._dag}/dagRuns", query)

    async def _epoch(self) -> int:
        try:
            found = await self._api.get(f"{_API}/variables/{quote(self._variable, safe='')}")
        except NotFoundError:
            return 0
        return epoch_in(found.get("value"))

    async def _write_epoch(self, epoch: int) -> None:
        body = {
            "key": self._variable,
            "value": str(epoch),
            "description": "The last switch that paused or unpaused this DAG. Leave it.",
        }
        if await self._epoch():
            await self._api.change("PATCH", f"{_API}/variables/{quote(self._variable, safe='')}", body)
        else:
            await self._api.change("POST", f"{_API}/variables", body)


class Login:
    """One user of an API server; logs in on first use, and again once the token is old.

    :param url: of the API server.
    """

    _FRESH_SECONDS = 600.0

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._body = json.dumps({"username": user, "password": password}).encode()
        self._http = HttpClient(self._sign, _read_error, settings=HttpSettings(connections=1, attempts=3))
        self._token, self._until = "", 0.0

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that say who we are.

        :raises CredentialError: the server refuses the login.
        """
        now = asyncio.get_running_loop().time()
        if not self._token or now > self._until:
            request = Request(
                "POST",
                f"{self.url}/auth/token",
                "logging in to Airflow",
                {"Content-Type": "application/json", "Accept": "application/json"},
                self._body,
            )
            answer = await self._http.send(request)
            self._token = str(json.loads(bytes(answer.body)).get("access_token") or "")
            self._until = now + self._FRESH_SECONDS
        return {"Authorization": f"Bearer {self._token}"}

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _sign(self, request: Request) -> Mapping[str, str]:
        return request.headers


def _read_error(
    request: Request, status: int, _headers: Mapping[str, str], _body: bytes
) -> HeavyliftError | None:
    return error_for_status(request.what, status, "")


def _url(connection: Connection) -> str:
    host = str(connection.host).rstrip("/")
    if "://" not in host:
        secure = connection.conn_type == "https" or connection.schema == "https"
        host = f"{'https' if secure else 'http'}://{host}"
    port = f":{connection.port}" if connection.port and host.count(":") < 2 else ""
    return f"{host}{port}"
