"""From a platform's own name of a resource to the neutral ones."""

from __future__ import annotations

from heavylift.access.aws_names import neutral_patterns
from heavylift.access.globs import is_literal
from heavylift.access.model import Place
from heavylift.access.table import Table


def neutral_names(table: Table, native: str, place: Place) -> list[tuple[str, str]]:
    """Return (kind, neutral name) of all that a resource's own name can mean."""
    found = []
    for kind in table.kinds.values():
        names = native_patterns(table, kind.name, native, place)
        found += [(kind.name, name) for name in names if is_literal(name)]
    return found


def native_patterns(table: Table, kind: str, native: str, place: Place) -> list[str]:
    """Return the neutral patterns of what a native name or pattern means of one kind."""
    if place.platform == "aws":
        return neutral_patterns(table.kinds[kind], native, place)
    _, found, rest = native.partition(_HEADS.get((place.platform, kind), "\0"))
    return [rest] if found and rest and "/" not in rest else []


_HEADS = {
    ("gcp", "bucket"): "/buckets/",
    ("gcp", "secret"): "/secrets/",
    ("gcp", "stream"): "/topics/",
    ("gcp", "role"): "/serviceAccounts/",
    ("azure", "bucket"): "/containers/",
    ("azure", "secret"): "/secrets/",
    ("azure", "key"): "/keys/",
}
