"""What an ``aws`` connection's extra field says, under the names that Airflow's hook uses."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError

DEFAULT_REGION = "us-east-1"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def endpoint_setting(connection: Connection, service: str) -> str | None:
    """Return the endpoint for ``service``: ``service_config`` first, for S3 then ``endpoint_url``."""
    own = _mapping(_mapping(connection.extra.get("service_config")).get(service)).get("endpoint_url")
    return str(own) if own else connection.text("endpoint_url")


def s3_option(connection: Connection, name: str) -> Any:
    """Return ``config_kwargs.s3.<name>``, botocore's own S3 options, or None."""
    return _mapping(_mapping(connection.extra.get("config_kwargs")).get("s3")).get(name)


def is_anonymous(connection: Connection) -> bool:
    """Return whether ``config_kwargs.signature_version`` is ``unsigned`` (public buckets)."""
    return _mapping(connection.extra.get("config_kwargs")).get("signature_version") == "unsigned"


def region_of(connection: Connection) -> str:
    """Return the region: ``region_name``, else what botocore finds, else ``us-east-1``.

    :raises ConnectionConfigError: the profile does not exist.
    """
    given = connection.text("region_name")
    if given:
        return given
    import botocore.session
    from botocore.exceptions import BotoCoreError

    session = botocore.session.Session(profile=connection.text("profile_name"))
    try:
        found = session.get_config_variable("region") or os.environ.get("AWS_REGION")
    except BotoCoreError as error:
        raise ConnectionConfigError(
            f"reading the AWS profile of connection {connection.conn_id!r}",
            got=type(error).__name__,
            expected="a profile that exists in ~/.aws/config or ~/.aws/credentials",
            state="nothing was touched",
            remedy="correct extra.profile_name or AWS_PROFILE",
            code="3105",
        ) from None
    return str(found or DEFAULT_REGION)


def tls_of(connection: Connection) -> ssl.SSLContext | None:
    """Return the TLS context that ``verify`` asks for; None means the system's authorities.

    :raises ConnectionConfigError: ``verify`` names no readable file of certificates.
    """
    verify = connection.extra.get("verify", os.environ.get("AWS_CA_BUNDLE"))
    if verify in (None, "", True) or str(verify).lower() == "true":
        return None
    if verify is False or str(verify).lower() == "false":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return ssl.create_default_context(cafile=str(verify))
    except OSError as error:
        raise ConnectionConfigError(
            f"reading the certificates that connection {connection.conn_id!r} names in 'verify'",
            got=f"{verify!r}: {error.strerror or type(error).__name__}",
            expected="a readable PEM file",
            state="nothing was touched",
            remedy="correct the path in extra.verify or AWS_CA_BUNDLE",
            code="3104",
        ) from None
