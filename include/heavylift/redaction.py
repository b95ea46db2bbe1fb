"""Texts of others without what could be a credential: answers of APIs, and words of models."""

from __future__ import annotations

import re

HIDDEN = "***"

_URI_USER = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^/@\s\"']+@", re.IGNORECASE)
_QUERY = re.compile(
    r"(?i)([?&;\s]|\b)(password|passwd|pwd|user|token|secret|sig|signature|accountkey|sharedaccesskey"
    r"|x-amz-[a-z-]+|api[_-]?key|key)=([^&;\s\"']+)"
)
_OPTION = re.compile(
    r"(?i)(--?[a-z0-9_-]*(?:password|passwd|token|secret|api-?key|credential)[a-z0-9_-]*[= ])(\S+)"
)
_NAMED = re.compile(
    r"(?i)([\w-]*(?:passw(?:or)?d|pwd|secret|token|credential|signature|api[_-]?key|access[_-]?key"
    r"|account[_-]?key|private[_-]?key)[\w-]*[\"']?\s*[=:]\s*[\"']?)([^\s\"'&;,]+)"
)
_AUTHORISATION = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}")
_TOKEN = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[opsu]_[A-Za-z0-9]{20,}|xox[bap]-[A-Za-z0-9-]{10,}|eyJ[A-Za-z0-9_-]{20,}"
    r"\.[A-Za-z0-9_.-]+|hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*)"
)


def without_credentials(text: str) -> str:
    """Return ``text`` without what could be a credential in a URI, a query, an option or on its own."""
    text = _URI_USER.sub(r"\g<scheme>", text)
    text = _QUERY.sub(lambda found: f"{found[1]}{found[2]}={HIDDEN}", text)
    text = _OPTION.sub(lambda found: f"{found[1]}{HIDDEN}", text)
    return _TOKEN.sub(HIDDEN, text)


def words_without_credentials(text: str) -> str:
    """Return words that a program has printed, which name a secret in more ways than an API's fields do.

    ``password: x``, ``"token": "x"`` and ``Authorization: Bearer x`` besides all that
    :func:`without_credentials` takes out.
    """
    text = _AUTHORISATION.sub(lambda found: f"{found[1]} {HIDDEN}", without_credentials(text))
    return _NAMED.sub(lambda found: f"{found[1]}{HIDDEN}", text)
