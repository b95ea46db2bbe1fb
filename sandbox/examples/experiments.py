"""Years of experiments for a tracking server: statements that fill MLflow's own tables, and artifacts.

Everything is computed from numbers, so that two stores of one size are equal to the last byte. It is
written past the server, because through it the same history takes minutes.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from heavylift.connections import Connection
from heavylift.platforms.postgresql.connect import connect

BEGAN_MS = 1_760_000_000_000
"""When the first run began."""


@dataclass(frozen=True)
class Sizes:
    """How much there is.

    :param runs: of which every fifth is nested and every sixtieth deleted.
    """

    runs: int = 301
    metrics: int = 10
    steps: int = 50
    models: int = 7
    traces: int = 60


SMALL = Sizes(runs=24, metrics=2, steps=5, models=4, traces=6)
"""Enough for every kind of thing, and quickly there."""

_STATEMENTS = Path(__file__).with_suffix(".sql")


def seed(store: Connection, artifact_root: str, sizes: Sizes = SMALL) -> None:
    """Fill an empty tracking store.

    :param store: its database, as MLflow made it.
    :param artifact_root: the URL under which its experiments keep their artifacts.
    """
    values = {**asdict(sizes), "root": artifact_root, "began": BEGAN_MS}
    with closing(connect(store, "seed", autocommit=False)) as session, session:
        session.execute("SET search_path = public")
        for statement in _STATEMENTS.read_text().split(";\n"):
            if statement.strip():
                session.execute(statement.encode(), values)
    with closing(connect(store, "seed")) as session:
        session.execute("ANALYZE")
