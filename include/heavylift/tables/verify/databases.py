"""The comparison of two databases as the engines hand it over: tables, differences, and what it proves."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from heavylift.tables.engine import Comparison, TablesProgress, Work
from heavylift.tables.requests import TablesOptions
from heavylift.tables.verify.sampling import SampleChoice
from heavylift.tables.verify.settle import Settling
from heavylift.tables.verify.side import Side
from heavylift.tables.verify.tables import CompareOptions, Pair, compare_tables
from heavylift.tables.verify.wording import Mode, statement


def options_for(options: TablesOptions, settling: Settling | None = None) -> CompareOptions:
    """Return how a request wants its tables compared."""
    sample = SampleChoice(seed=secrets.randbits(32)) if options.verify.value == "sample" else None
    return CompareOptions(sample=sample, settling=settling, parallel=options.parallel_ranges)


def compare_databases(
    pairs: Sequence[Pair],
    source: Side,
    target: Side,
    *,
    mode: Mode,
    options: CompareOptions,
    work: Work,
    position: str = "",
    sequences_behind: tuple[str, ...] = (),
) -> Comparison:
    """Compare all pairs of tables and say what that proves; see :func:`compare_tables`.

    :param mode: what the caller has made sure of: that nobody writes (``frozen``), that the target is
        exactly at the position of the source's snapshot (``snapshot``), or nothing (``settled``, which
        needs ``options.settling``).
    :return: ``spilled`` names a file beside the temporary ones, if any row differs by its key.
    """
    began = time.monotonic()
    file = Path(tempfile.gettempdir()) / f"heavylift-differences-{secrets.token_hex(8)}.parquet"
    try:
        tables, differences = compare_tables(
            pairs,
            source,
            target,
            options=options,
            stop=work.stop,
            tell=lambda text: work.tell(TablesProgress(step="verify", detail=text)),
            file=file,
        )
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return Comparison(
        mode=mode,
        position=position,
        tables=tuple(tables),
        differences=tuple(differences.listed),
        difference_count=differences.count,
        spilled=str(file) if file.exists() else None,
        sequences_behind=sequences_behind,
        statement=statement(tables, mode, position),
        seconds=round(time.monotonic() - began, 3),
    )
