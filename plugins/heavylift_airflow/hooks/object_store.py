"""Airflow connections, from whatever secrets backend, in the form that the library takes."""

from __future__ import annotations

from typing import Any

from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from heavylift.connections import Connection, connection_from_fields
from heavylift.errors import ConnectionConfigError


class ObjectStoreHook(BaseHook):
    """Looks up one connection of an object store.

    Reading a connection touches no cloud. A second call reads it again, so that a rotated key
    is seen by the next task.

    :param conn_id: id of the Airflow connection.
    """

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def get_conn(self) -> Connection:
        """Return the connection.

        :raises ConnectionConfigError: no such connection, or its extra is no JSON object.
        """
        try:
            return to_connection(self.conn_id, self.get_connection(self.conn_id))
        except AirflowNotFoundException as error:
            raise _missing(self.conn_id) from error

    async def aget_conn(self) -> Connection:
        """Return the connection without blocking the event loop (for triggers).

        :raises ConnectionConfigError: no such connection, or its extra is no JSON object.
        """
        try:
            return to_connection(self.conn_id, await self.aget_connection(self.conn_id))
        except AirflowNotFoundException as error:
            raise _missing(self.conn_id) from error


def look_up(conn_id: str) -> Connection:
    """Return the connection ``conn_id``; what the library takes as ``connections``.

    :raises ConnectionConfigError: no such connection, or its extra is no JSON object.
    """
    return ObjectStoreHook(conn_id).get_conn()


def to_connection(conn_id: str, found: Any) -> Connection:
    """Copy the fields that the library knows from an Airflow connection; no others get through."""
    return connection_from_fields(
        conn_id,
        {
            "conn_type": found.conn_type,
            "login": found.login,
            "password": found.password,
            "host": found.host,
            "port": found.port,
            "schema": found.schema,
            "extra": found.extra,
        },
    )


def _missing(conn_id: str) -> ConnectionConfigError:
    return ConnectionConfigError(
        f"looking up connection {conn_id!r}",
        got="no connection of that id in Airflow",
        expected="a connection in the environment, the secrets backend or Admin > Connections",
        state="nothing was touched",
        remedy=f"add the connection {conn_id!r}, then clear this task",
        code="8001",
    )
