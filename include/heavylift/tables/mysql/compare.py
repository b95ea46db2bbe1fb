"""Comparing MySQL with a target as of one position, also while the source is written to."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import TransientError
from heavylift.spec.vocabulary import VerifyMode
from heavylift.tables.engine import Comparison, TablesProgress
from heavylift.tables.model import demand_some
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.chosen import chosen_tables
from heavylift.tables.mysql.connect import connect as connect_source
from heavylift.tables.mysql.connect import where
from heavylift.tables.mysql.moment import Moment, one_moment
from heavylift.tables.mysql.side import Lent, MysqlSide
from heavylift.tables.mysql.sync import stream_run
from heavylift.tables.verify.sampling import SampleChoice
from heavylift.tables.verify.tables import CompareOptions, compare_tables
from heavylift.tables.verify.wording import Mode, statement

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.mysql.target import Product
    from heavylift.tables.requests import TablesRequest


def compare_databases(request: TablesRequest, work: Work, product: Product, *, frozen: bool) -> Comparison:
    """Compare all chosen tables, inside of both databases.

    :param frozen: nobody writes to the source. Otherwise the stream is applied to a position of the log and
        held there, for as long as the comparison takes; the source is read as of that position.
    :raises ConflictError: not frozen, and another run is at the stream.
    """
    if frozen:
        with (
            closing(connect_source(request.source.connection)) as source,
            closing(product.connect(request, "verify")) as target,
        ):
            tables = chosen_tables(request, product, source, target)
        with _moment(request, tables, work) as moment:
            return _compare(request, work, product, "frozen", moment, tables)
    with stream_run(request, work, product) as run:
        run.take_in_new_tables()
        tables = tuple(run.catalog().values())
        with _moment(request, tables, work) as moment:
            run.apply(moment.place)
            if not run.tally.reached:
                raise _out_of_time(request)
            run.complete_schema()
            return _compare(request, work, product, "snapshot", moment, tables)


@contextmanager
def _moment(request: TablesRequest, tables: Sequence[SourceTable], work: Work) -> Iterator[Moment]:
    connection, options = request.source.connection, request.options
    demand_some((table.name for table in tables), options.tables, where(connection))
    with one_moment(
        connection, [table.name for table in tables], options.parallel_ranges + 1, work
    ) as moment:
        yield moment


def _compare(
    request: TablesRequest,
    work: Work,
    product: Product,
    mode: Mode,
    moment: Moment,
    tables: tuple[SourceTable, ...],
) -> Comparison:
    began = time.monotonic()
    options = request.options
    ours = MysqlSide(
        Lent(request.source.connection, moment.sessions),
        {table.name: table for table in tables},
        product.policy(request.source.connection).zero_dates,
    )
    folder = Path(tempfile.mkdtemp(prefix="heavylift-differences-"))
    with product.side(request, tables) as (there, theirs):
        compared, differences = compare_tables(
            [(table.table, there.get(table.name)) for table in tables],
            ours,
            theirs,
            options=CompareOptions(
                sample=SampleChoice() if options.verify is VerifyMode.SAMPLE else None,
                parallel=options.parallel_ranges,
                own_text=False,
            ),
            stop=work.stop,
            tell=lambda line: work.tell(TablesProgress(step="verify", detail=line)),
            file=folder / "differences.parquet",
        )
    position = "" if mode == "frozen" else str(moment.place)
    return Comparison(
        mode=mode,
        position=position,
        tables=tuple(compared),
        differences=tuple(differences.listed),
        difference_count=differences.count,
        spilled=str(differences.file) if differences.file.exists() else None,
        sequences_behind=product.numbering_behind(request, tables),
        statement=statement(compared, mode, position),
        seconds=time.monotonic() - began,
    )


def _out_of_time(request: TablesRequest) -> TransientError:
    return TransientError(
        f"comparing database {request.database!r}",
        got="a stream that did not reach the snapshot's position in time",
        expected="to apply what had been committed before it",
        state="nothing was compared; what was applied stays",
        remedy="run a sync first, or allow it more time",
        code="6461",
    )
