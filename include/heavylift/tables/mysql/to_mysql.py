"""MySQL and MariaDB as the target of a binary log of their own kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from heavylift.tables.model import Table, TableName
from heavylift.tables.mysql.catalog import SourceTable, read_source
from heavylift.tables.mysql.connect import Policy, connect, execute, quoted, text_literal
from heavylift.tables.mysql.faults import told_as
from heavylift.tables.mysql.preflight import preflight
from heavylift.tables.mysql.rowimage import Described
from heavylift.tables.mysql.side import Lent, MysqlSide
from heavylift.tables.mysql.twin.apply import OWN, TwinApplier, open_applier
from heavylift.tables.mysql.twin.copying import copy_range
from heavylift.tables.mysql.twin.images import OwnDescribed
from heavylift.tables.mysql.twin.numbering import next_numbers
from heavylift.tables.mysql.twin.preflight import BACK_CHECKS, TWIN_CHECKS
from heavylift.tables.mysql.twin.session import open_writer
from heavylift.tables.mysql.twin.target import TwinTarget, open_twin
from heavylift.tables.requests import Direction

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.table_records import PreflightRecord
    from heavylift.tables.mysql.connect import Session
    from heavylift.tables.mysql.target import Applying, Copies, Target
    from heavylift.tables.requests import TablesRequest
    from heavylift.tables.verify.side import Side


class MysqlProduct:
    """MySQL or MariaDB; see :class:`heavylift.tables.mysql.target.Product`."""

    described: type[Described] = OwnDescribed

    def policy(self, connection: Connection) -> Policy:
        """Return that every value is moved as it is."""
        del connection
        return OWN

    def told_as(self, what: str, state: str) -> AbstractContextManager[None]:
        """Turn PyMySQL's errors into Heavylift's."""
        return told_as(what, state)

    def connect(self, request: TablesRequest, purpose: str) -> TwinTarget:
        """Open a session."""
        del purpose
        return open_twin(request)

    def preflight(self, request: TablesRequest, source: Session, target: Target) -> PreflightRecord:
        """Look for what stands in the way."""
        back = request.direction is Direction.REVERSE
        checks = BACK_CHECKS if back else TWIN_CHECKS
        only = target.tables(request.stream) if back else None
        return preflight(request, checks, OWN, source=source, target=target, only=only)

    @contextmanager
    def copier(self, connection: Connection) -> Iterator[Copies]:
        """Open a session that copies ranges by inserts of many rows."""
        with closing(open_writer(connection)) as session:
            yield partial(copy_range, target=session)

    def applier(self, given: Applying) -> AbstractContextManager[TwinApplier]:
        """Open a session that writes folded changes."""
        return open_applier(given)

    def retake(self, stream: str, tables: Iterable[TableName]) -> str:
        """Return what a person runs to have tables copied anew."""
        return "; ".join(
            f"DROP TABLE IF EXISTS {quoted(each.schema, each.name)}; DELETE FROM heavylift.stream_table"
            f" WHERE stream = {text_literal(stream)} AND schema_name = {text_literal(each.schema)}"
            f" AND table_name = {text_literal(each.name)}"
            for each in tables
        )

    @contextmanager
    def side(
        self, request: TablesRequest, tables: Sequence[SourceTable]
    ) -> Iterator[tuple[Mapping[TableName, Table], Side]]:
        """Open the target as a side of a comparison; nobody applies anything meanwhile."""
        connection, wanted = request.target.connection, {table.name for table in tables}
        with ExitStack() as stack:
            count = request.options.parallel_ranges + 1
            sessions = [stack.enter_context(closing(connect(connection, raw=True))) for _ in range(count)]
            with closing(connect(connection)) as session:
                found = {table.name: table for table in read_source(session, OWN, ["*.*"])}
            there = {name: table for name, table in found.items() if name in wanted}
            for session in sessions:
                execute(session, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            side = MysqlSide(Lent(connection, sessions), there, OWN.zero_dates, "target")
            yield {name: table.table for name, table in there.items()}, side

    def numbering_behind(self, request: TablesRequest, tables: Sequence[SourceTable]) -> tuple[str, ...]:
        """Return the counters that would give out a number again."""
        with closing(connect(request.target.connection)) as session:
            there = next_numbers(session)
        return tuple(
            f"{table.name}.{table.automatic}"
            for table in tables
            if table.automatic and there.get(table.name, 0) < table.next_number
        )

    def end(self, request: TablesRequest) -> None:
        """Give back the triggers that were taken away while changes flowed back; else there is nothing."""
        if request.direction is Direction.REVERSE:
            with closing(open_twin(request)) as target:
                target.wake_triggers(request.stream)
