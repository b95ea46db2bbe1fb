"""The credentials that a service needs for a place, taken from its connection.

They go into the request to the service and nowhere else: no record, log, XCom or error holds one.
"""

from __future__ import annotations

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.platforms.places import Place


def access_keys(place: Place, role_field: str) -> tuple[str, str]:
    """Return key id and secret of an S3 place.

    :param role_field: the spec's field that would spare the key.
    :raises ConnectionConfigError: the connection has no lasting key of its own.
    """
    connection = _connection(place)
    if not connection.login or not connection.password or connection.text("aws_session_token"):
        raise _lacking(connection, "an access key of its own", f"a login and password, or {role_field}")
    return connection.login, connection.password


def hmac_keys(place: Place) -> tuple[str, str]:
    """Return the HMAC key of a Cloud Storage place, by which S3's protocol is spoken to it.

    :raises ConnectionConfigError: the connection has none.
    """
    connection = _connection(place)
    key, secret = connection.text("hmac_key_id"), connection.text("hmac_secret")
    if not key or not secret:
        raise _lacking(connection, "an HMAC key", "hmac_key_id and hmac_secret in its extra field")
    return key, secret


def sas_token(place: Place) -> str:
    """Return the shared access signature of an Azure place, without a question mark.

    :raises ConnectionConfigError: the connection has none.
    """
    connection = _connection(place)
    token = connection.text("sas_token")
    if not token:
        raise _lacking(connection, "a shared access signature", "sas_token in its extra field")
    return token.partition("?")[2] or token


def storage_account(place: Place) -> str:
    """Return the name of the storage account of an Azure place.

    :raises ConnectionConfigError: the connection names none.
    """
    connection = _connection(place)
    host = (connection.host or "").removeprefix("https://").removeprefix("http://")
    name = connection.text("account_name") or host.partition(".")[0] or connection.login or ""
    if not name:
        raise _lacking(connection, "a storage account", "its host, https://ACCOUNT.blob.core.windows.net")
    return name


def _connection(place: Place) -> Connection:
    if place.connection is not None:
        return place.connection
    raise ConnectionConfigError(
        f"opening {place.location} for a transfer service",
        got="no connection",
        expected="the connection of the place",
        state="nothing was started",
        remedy="name a connection for this side in the spec",
        code="5530",
    )


def _lacking(connection: Connection, got: str, expected: str) -> ConnectionConfigError:
    return ConnectionConfigError(
        f"taking what a transfer service needs from connection {connection.conn_id!r}",
        got=f"no trace of {got}",
        expected=expected,
        state="nothing was started",
        remedy=f"correct connection {connection.conn_id!r}, or choose another way to move this dataset",
        code="5531",
    )
