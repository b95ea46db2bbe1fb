"""Rules on feature stores: two sides, and prefixes of histories that fit together."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath
from heavylift.spec.rule import Broken


def feature_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the feature stores of ``spec``."""
    for index, store in enumerate(spec.feature_stores):
        path: FieldPath = ("feature_stores", index)
        if store.source.connection == store.target.connection:
            yield Broken(
                "7718",
                (*path, "target", "connection"),
                f"the source's own connection {store.target.connection!r}",
                "a connection of another feature store",
            )
        seen: set[str] = set()
        for number, each in enumerate(store.history):
            prefix = each.source.rstrip("/")
            if prefix in seen:
                yield Broken(
                    "7719",
                    (*path, "history", number, "source"),
                    f"the prefix {prefix!r} a second time",
                    "each prefix of histories once",
                )
            seen.add(prefix)
