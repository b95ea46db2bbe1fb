"""The channels: JSON to a web hook, Slack's form of one, and mail over SMTP. Standard library only."""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from heavylift.connections import Connection, http_address, http_authorisation
from heavylift.errors import ConnectionConfigError, ServerUnavailableError
from heavylift.notify.message import Message

SECONDS = 10.0
"""How long a channel may keep a task waiting."""
_WEB = frozenset({"http", "https"})
_CHAT = frozenset({"slack", "slackwebhook"})
_MAIL = frozenset({"smtp", "email"})
_SMTPS = 465


def send(connection: Connection, recipients: Sequence[str], message: Message) -> None:
    """Send ``message``; blocks for at most some multiples of :data:`SECONDS`. Not idempotent.

    :param recipients: mail addresses, or channels of a chat; a web hook ignores them.
    :raises ConnectionConfigError: the connection is of another type, or lacks a field.
    :raises ServerUnavailableError: the channel did not take it.
    """
    if connection.conn_type in _MAIL:
        _mail(connection, recipients, message)
    elif connection.conn_type in _CHAT or connection.text("format") == "slack":
        bodies: list[dict[str, object]] = [{"text": message.text, "channel": each} for each in recipients]
        for body in bodies or [{"text": message.text}]:
            _post(connection, body)
    elif connection.conn_type in _WEB:
        _post(connection, message.document)
    else:
        raise ConnectionConfigError(
            f"notifying by connection {connection.conn_id!r}",
            got=f"the type {connection.conn_type}",
            expected=f"one of {', '.join(sorted(_WEB | _CHAT | _MAIL))}",
            state="nobody was told; the task itself is as it was",
            remedy="correct the connection's type",
            code="8965",
        )


def _post(connection: Connection, body: dict[str, object]) -> None:
    # Slack's own connection type holds the secret end of the address as the password.
    address = http_address(connection)
    path = connection.text("path") or ""
    if connection.conn_type in _CHAT and connection.password:
        path = connection.password
    if not path and connection.schema and connection.schema not in _WEB:
        path = connection.schema
    split = urlsplit(address)
    if split.scheme not in _WEB or not split.hostname:
        raise ConnectionConfigError(
            f"notifying by connection {connection.conn_id!r}",
            got="no host",
            expected="the web hook's host; its path in the extra field path",
            state="nobody was told; the task itself is as it was",
            remedy="complete the connection",
            code="8966",
        )
    target = "/".join(part.strip("/") for part in (split.path, path) if part.strip("/"))
    headers = {"Content-Type": "application/json"}
    if connection.conn_type not in _CHAT:
        headers |= http_authorisation(connection)
    kind = HTTPSConnection if split.scheme == "https" else HTTPConnection
    try:
        port = kind(split.hostname, split.port, timeout=SECONDS)
        try:
            port.request("POST", f"/{target}", json.dumps(body).encode(), headers)
            status = port.getresponse().status
        finally:
            port.close()
    except (OSError, HTTPException, ValueError) as error:
        raise _not_taken(connection, type(error).__name__) from None
    if not 200 <= status < 300:
        raise _not_taken(connection, f"HTTP {status}")


def _mail(connection: Connection, recipients: Sequence[str], message: Message) -> None:
    sender = connection.text("from_email") or connection.login or ""
    if not connection.host or not recipients or not sender:
        raise ConnectionConfigError(
            f"notifying by connection {connection.conn_id!r}",
            got=f"host {connection.host or '(none)'}, sender {sender or '(none)'},"
            f" {len(recipients)} recipients",
            expected="a host, notify.recipients, and the extra field from_email or a login",
            state="nobody was told; the task itself is as it was",
            remedy="complete the connection, or notify.recipients in the spec",
            code="8967",
        )
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(recipients), message.subject
    mail.set_content(message.text)
    try:
        with _smtp(connection) as server:
            if connection.login and connection.password:
                server.login(connection.login, connection.password)
            server.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        # What a server answers may repeat what it was told.
        raise _not_taken(connection, type(error).__name__) from None


def _smtp(connection: Connection) -> smtplib.SMTP:
    host, port = connection.host or "", connection.port or 25
    context = ssl.create_default_context()
    if port == _SMTPS or connection.flag("ssl"):
        return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
    server = smtplib.SMTP(host, port, timeout=SECONDS)
    if connection.password or connection.flag("starttls"):
        # A password is never sent in the open.
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _not_taken(connection: Connection, got: str) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"notifying by connection {connection.conn_id!r}",
        got=got,
        expected="a channel that takes the message",
        state="nobody was told; the task itself is as it was",
        remedy="look whether the channel is up and its address, token or password is right",
        code="8968",
    )
