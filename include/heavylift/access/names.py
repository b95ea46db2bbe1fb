"""The file in which the user says which account, identity and resource is whose counterpart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from heavylift.access.documents import known_keys, mapping, read_documents, texts
from heavylift.access.model import Names, Place
from heavylift.access.table import PLATFORMS
from heavylift.errors import SpecError

_NEEDED = {
    "aws": "the account's number",
    "gcp": "the project's id",
    "azure": "a scope, /subscriptions/…",
    "kubernetes": "a namespace",
}


def read_names(path: Path | None, source: Place, target: Place) -> Names:
    """Return the names of a file, with places of which the given parts come first.

    :raises SpecError: it cannot be used, or an account is named nowhere.
    """
    given = mapping(read_documents(path), str(path)) if path is not None else {}
    where = str(path or "the options")
    known_keys(given, ("source", "target", "identities", "resources"), where)
    one = _place(source, mapping(given.get("source") or {}, where), f"{where}, source")
    two = _place(target, mapping(given.get("target") or {}, where), f"{where}, target")
    return Names(one, two, _pairs(given, "identities", where), _pairs(given, "resources", where))


def _place(place: Place, given: Mapping[str, Any], where: str) -> Place:
    allowed = [each.name for each in fields(Place)]
    known_keys(given, allowed, where)
    named = {name: texts(value, where)[0] for name, value in given.items() if name != "platform" and value}
    own = {name: getattr(place, name) for name in allowed if getattr(place, name)}
    made = replace(place, **{**named, **own})
    if made.platform in PLATFORMS and made.account:
        return made
    raise SpecError(
        f"reading the names of {where}",
        got=f"platform {made.platform!r}, account {made.account!r}",
        expected=f"one of {', '.join(PLATFORMS)}, and {_NEEDED.get(made.platform, 'its account')}",
        state="nothing was translated",
        remedy="give --source, --target, --source-account and --target-account, or a file with --names",
        code="8103",
    )


def _pairs(given: Mapping[str, Any], key: str, where: str) -> dict[str, str]:
    found = mapping(given.get(key) or {}, f"{where}, {key}")
    return {str(name): texts(value, f"{where}, {key}, {name}")[0] for name, value in found.items()}
