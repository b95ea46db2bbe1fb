"""What a registry asks for in WWW-Authenticate, and whom a credential may be shown to. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from heavylift.errors import CredentialError

_SCHEME = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9_-]*)(?=\s+[A-Za-z_]+\s*=|\s*,|\s*$)")
_FIELD = re.compile(r'\s*,?\s*([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST = 8_192


@dataclass(frozen=True)
class Challenge:
    """One way in which a registry lets itself be convinced.

    :param scheme: in lower case: ``basic`` or ``bearer``.
    """

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def read_challenges(header: str) -> list[Challenge]:
    """Return what a WWW-Authenticate header asks for; what cannot be read is left out."""
    found, text = [], header[:_MOST]
    while text.strip(" ,\t"):
        scheme = _SCHEME.match(text)
        if scheme is None:
            break
        text = text[scheme.end() :]
        fields: dict[str, str] = {}
        while (field := _FIELD.match(text)) is not None:
            quoted = field[2]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else field[3]
            fields.setdefault(field[1].lower(), value)
            text = text[field.end() :]
        found.append(
            Challenge(
                scheme[1].lower(),
                fields.get("realm", ""),
                fields.get("service", ""),
                fields.get("scope", ""),
            )
        )
    return found


def may_travel(url: str) -> bool:
    """Tell whether a credential may be sent to a URL: encrypted, or never leaving this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def demand_safe_realm(realm: str, base: str, *, plain: bool, what: str) -> None:
    """Do nothing where the credentials for the registry at ``base`` may be shown to a realm.

    :param plain: its connection allows plain HTTP, to the registry itself.
    :raises CredentialError: they would travel unencrypted, or to what is no HTTP server.
    """
    asked, own = urlsplit(realm), urlsplit(base)
    # On this machine nothing is overheard; a registry elsewhere has no business with a realm here.
    local = asked.hostname in _LOOPBACK and own.hostname in _LOOPBACK
    same = plain and own.scheme == "http" and asked.netloc == own.netloc
    fits = asked.scheme == "https" or (asked.scheme == "http" and (local or same))
    if not fits or not asked.hostname or "@" in asked.netloc:
        raise CredentialError(
            what,
            got=f"credentials asked for at {asked.scheme or 'no scheme'}://{asked.hostname or ''}",
            expected="https://, or the registry's own address where its connection allows plain HTTP",
            state="no credential was sent",
            remedy="give the registry's token server an address with https://",
            code="9147",
        )
