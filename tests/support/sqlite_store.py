"""A tracking store in an SQLite file, made by MLflow itself and filled with what a PostgreSQL store holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from heavylift.connections import Connection
from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.store.catalog import read_catalog
from heavylift.registry.store.sqlite_file import tables_in
from tests.support.stores import TwoStores


def fill_file(path: Path, source: Connection) -> None:
    """Put everything into the file that a PostgreSQL store holds, in place of what is there."""
    with closing(sqlite3.connect(path)) as file, connect(source, "test") as session, file:
        catalog = read_catalog(session, "test")
        there = tables_in(file)
        for name, table in catalog.tables.items():
            columns = there[name]
            listed = ", ".join(f'"{column}"' for column in columns)
            # JSON as it stands there.
            texts = {each.name for each in table.columns if each.type_name.startswith("json")}
            read = ", ".join(f'"{each}"::text' if each in texts else f'"{each}"' for each in columns)
            rows = session.execute(f'SELECT {read} FROM public."{name}"'.encode()).fetchall()
            file.execute(f'DELETE FROM "{name}"')
            places = ", ".join("?" * len(columns))
            file.executemany(
                f'INSERT INTO "{name}" ({listed}) VALUES ({places})',
                rows,
            )


def beside(stores: TwoStores, path: Path) -> TwoStores:
    """Return the stores with the file as their source; statements still go to the PostgreSQL one."""
    return replace(stores, source=Connection("sqlite_file", "sqlite", host=str(path)))
