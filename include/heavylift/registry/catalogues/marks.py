"""The marks by which things on the target tell what they are a copy of.

They are written in the request that makes a thing, so that what a killed run made is found again; nothing
without them is ever written to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from heavylift.registry.catalogues.capabilities import Pairs

COUNT = 5
"""How many marks a thing has at most."""


@dataclass(frozen=True)
class Origin:
    """What a thing of the target is a copy of, as its marks tell.

    :param digest: of what was written to it, so that a change by others shows.
    """

    platform: str = ""
    registry: str = ""
    id: str = ""
    version: str = ""
    digest: str = ""


def marks_of(origin: Origin, pairs: Pairs) -> dict[str, str]:
    """Return an origin as pairs; what the place does not take is told by its hash."""
    fields = {name: getattr(origin, name) for name in ("platform", "registry", "id", "version", "digest")}
    return {f"{pairs.mark}{name}": fit_mark(value, pairs) for name, value in fields.items() if value}


def fit_mark(value: str, pairs: Pairs) -> str:
    """Return a mark's value as the place takes it."""
    if not pairs.value.wrong(value):
        return value
    return "h-" + hashlib.blake2b(value.encode(), digest_size=16).hexdigest()


def origin_in(pairs: Mapping[str, str], holder: Pairs) -> Origin | None:
    """Return the origin that pairs tell; None where they tell none."""
    found = {
        name: pairs.get(f"{holder.mark}{name}", "")
        for name in ("platform", "registry", "id", "version", "digest")
    }
    return Origin(**found) if found["registry"] and found["id"] else None
