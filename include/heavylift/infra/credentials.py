"""What terraform's providers get of a connection: variables of the child's environment, never arguments."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping

from heavylift.connections import Connection

_AMBIENT = {
    "aws": ("AWS_",),
    "gcp": ("GOOGLE_", "GCLOUD_", "CLOUDSDK_"),
    "azure": ("ARM_", "AZURE_"),
}
"""What a machine's own identity needs; passed on where the connection has no credentials."""


def credentials_of(platform: str, connection: Connection | None) -> dict[str, str]:
    """Return the variables with which a provider authenticates; those of the machine where None."""
    given = _WAYS[platform](connection) if connection else {}
    own = {name: value for name, value in given.items() if value}
    if own:
        return own
    return {name: value for name, value in os.environ.items() if name.startswith(_AMBIENT[platform])}


def _aws(connection: Connection) -> dict[str, str | None]:
    return {
        "AWS_ACCESS_KEY_ID": connection.login or connection.text("aws_access_key_id"),
        "AWS_SECRET_ACCESS_KEY": connection.password or connection.text("aws_secret_access_key"),
        "AWS_SESSION_TOKEN": connection.text("aws_session_token"),
        "AWS_PROFILE": connection.text("profile_name"),
        "AWS_REGION": connection.text("region_name"),
    }


def _gcp(connection: Connection) -> dict[str, str | None]:
    given = connection.extra.get("keyfile_dict")
    key = json.dumps(given) if isinstance(given, Mapping) else connection.text("keyfile_dict")
    return {
        "GOOGLE_CREDENTIALS": key or connection.text("key_path"),
        "GOOGLE_OAUTH_ACCESS_TOKEN": connection.text("token"),
    }


def _azure(connection: Connection) -> dict[str, str | None]:
    found = {
        "ARM_CLIENT_ID": connection.login,
        "ARM_CLIENT_SECRET": connection.password,
        "ARM_TENANT_ID": connection.text("tenantId") or connection.text("tenant_id"),
    }
    if not all(found.values()):
        return {}
    return {
        **found,
        "ARM_SUBSCRIPTION_ID": connection.text("subscriptionId") or connection.text("subscription_id"),
    }


_WAYS: Mapping[str, Callable[[Connection], Mapping[str, str | None]]] = {
    "aws": _aws,
    "gcp": _gcp,
    "azure": _azure,
}
