"""Our comparison of one table as a command: ``python -m tests.benchmarks.tables.verify_ours FILE``."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from heavylift.connections import connection_from_env
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.verify.postgres_side import PostgresSide
from heavylift.tables.verify.sessions import Sessions
from heavylift.tables.verify.tables import compare_tables
from tests.benchmarks.tables.sides import SOURCE, TARGET


def main(file: Path) -> None:
    """Print how many rows of each kind there are, as JSON."""
    source, target = connection_from_env(SOURCE), connection_from_env(TARGET)
    tables = []
    for side in (source, target):
        with connect(side, "bench") as session:
            tables.append(read_catalog(session, ["public.big"]))
    (compared,), _ = compare_tables(
        list(zip(*tables, strict=True)),
        PostgresSide(Sessions("source", source)),
        PostgresSide(Sessions("target", target)),
        stop=threading.Event(),
        tell=lambda text: print(text, file=sys.stderr),
        file=file,
    )
    print(json.dumps({kind: getattr(compared, kind) for kind in ("missing", "extra", "different")}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
