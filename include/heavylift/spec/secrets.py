"""Finds what looks like a secret, so that none can live in a spec or be shown in a message."""

from __future__ import annotations

import re

_KEY = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|secret|secret_key|client_secret|access_key|access_key_id"
    r"|account_key|api_key|private_key|private_key_id|shared_key|storage_key|token|sas|sas_url"
    r"|credential|credentials|connection_string|conn_str)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|[?&;](?:sig|Signature|X-Amz-Signature|X-Goog-Signature|X-Amz-Credential)="
    r"|\b(?:AccountKey|SharedAccessKey|SharedAccessSignature)="
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."
    r"|\bya29\.[A-Za-z0-9_-]{10,}|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|://[^/@\s:]*:[^/@\s]+@",
)
_RANDOM = re.compile(r"(?=\S*[a-z])(?=\S*[A-Z])(?=\S*[0-9])[A-Za-z0-9/+=_-]{32,}")
_HIDDEN = "a value that looks like a secret (not shown)"
_SHOWN_CHARACTERS = 80


def names_secret(key: str) -> bool:
    """Tell whether ``key`` is the name of a secret: ``password``, ``secretKey``, ``sas_token``…"""
    return _KEY.search(_CAMEL.sub("_", key).replace("-", "_").lower()) is not None


def holds_secret(value: str) -> bool:
    """Tell whether ``value`` contains a private key, access key, signature or password in a URL."""
    return _VALUE.search(value) is not None


def hides(value: object, key: str = "") -> bool:
    """Tell whether ``value`` must not be shown: it is a secret, is named like one or looks random."""
    if names_secret(key):
        return True
    return isinstance(value, str) and (holds_secret(value) or _RANDOM.search(value) is not None)


def show(value: object, key: str = "") -> str:
    """Return ``value`` for a message: short, in YAML's words, and never a secret.

    :param key: the field's own name; the value of a field named like a secret is never shown.
    """
    if hides(value, key):
        return _HIDDEN
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return _scalar(value)


def _scalar(value: object) -> str:
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        short = value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "…"
        return repr(short) if short else "an empty text"
    return str(value)[:_SHOWN_CHARACTERS]
