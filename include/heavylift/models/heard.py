"""What a model says in its own words, without what could be a secret: it goes into logs and evidence."""

from __future__ import annotations

import re

HIDDEN = "***"

_USER = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^/\s\"'@]*@", re.IGNORECASE)
_NAMED = re.compile(
    r"(?i)(?P<name>[\w-]*(?:passw(?:or)?d|pwd|secret|token|credential|signature|api[_-]?key|access[_-]?key"
    r"|account[_-]?key|private[_-]?key)[\w-]*[\"']?\s*[=:]\s*[\"']?)(?P<value>[^\s\"'&;,]+)"
)
_BEARER = re.compile(r"(?i)\b(?P<name>bearer|basic)\s+[a-z0-9._~+/=-]{8,}")
_FORMS = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[opsu]_[A-Za-z0-9]{20,}|xox[bap]-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{20,}"
    r"|sk-[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_.-]+)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*"
)


def without_secrets(text: str) -> str:
    """Return words of a model without what looks like a credential."""
    text = _USER.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _BEARER.sub(rf"\g<name> {HIDDEN}", text)
    text = _NAMED.sub(rf"\g<name>{HIDDEN}", text)
    return _FORMS.sub(HIDDEN, text)
