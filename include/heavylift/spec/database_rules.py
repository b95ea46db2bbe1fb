"""Rules on databases: which products and methods this version moves, and that a gate has some to judge."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath
from heavylift.spec.rule import Broken
from heavylift.spec.sections_data import CaptureMethod, Database
from heavylift.spec.support import DEBEZIUM_ONLY, SUPPORTED_TARGETS
from heavylift.spec.vocabulary import Check, Phase


def database_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the databases of ``spec``."""
    for index, database in enumerate(spec.databases):
        path: FieldPath = ("databases", index)
        yield from _engines_are_supported(database, path)
        if database.source.engine in DEBEZIUM_ONLY and database.method is not CaptureMethod.DEBEZIUM:
            yield Broken(
                "2181",
                (*path, "method"),
                f"the method {database.method.value!r} for {database.source.engine.value}",
                "debezium: Heavylift does not decode this product's log by itself",
                "run Debezium's connector, and set method: debezium (docs/reference/tables-debezium.md)",
            )
        if database.source == database.target:
            yield Broken(
                "2182",
                (*path, "target", "connection"),
                f"the source's own connection {database.target.connection!r}",
                "a connection of another database",
            )


def _engines_are_supported(database: Database, path: FieldPath) -> Iterator[Broken]:
    source, target = database.source.engine, database.target.engine
    if target not in SUPPORTED_TARGETS[source]:
        yield Broken(
            "2180",
            (*path, "target", "engine"),
            f"the product {target.value!r} as the target of {source.value}, understood but not yet supported"
            " by this version",
            " or ".join(sorted(each.value for each in SUPPORTED_TARGETS[source])),
            "take this database out of the spec; for now it has to be moved by other means",
        )


def _is_pointless(check: Check, spec: MigrationSpec) -> bool:
    if check is Check.TABLES_EQUAL:
        return not spec.databases
    return check is Check.REPLICATION_CAUGHT_UP and not spec.databases and not spec.streams


def database_checks_have_databases(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield gate checks that would find no database, or no sync of one, to judge."""
    for index, gate in enumerate(spec.gates):
        for position, check in enumerate(gate.checks):
            path: FieldPath = ("gates", index, "checks", position)
            if _is_pointless(check, spec):
                yield Broken(
                    "2183",
                    path,
                    f"the check {check.value!r}, which would check nothing",
                    "an entry of databases",
                    "name a database, or take the check out",
                )
            elif check is Check.REPLICATION_CAUGHT_UP and gate.phase is Phase.TRANSFER:
                yield Broken(
                    "2184",
                    path,
                    f"the check {check.value!r} at the end of a phase that applies no changes",
                    "a gate of the phase sync",
                    "in transfer ask for tables_equal: it holds for one position of the source's log",
                )
