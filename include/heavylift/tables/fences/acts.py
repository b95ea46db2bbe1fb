"""Freezing and opening one side of a request's database, and telling which side is the live one."""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, cast

from heavylift.errors import ConflictError, UnsupportedError
from heavylift.evidence.fence_records import FenceRecord
from heavylift.fencing import Side, Writes, WriteState
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.fences.port import Fenced
from heavylift.tables.requests import Direction

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.engine import Work
    from heavylift.tables.fences.port import Fence, FenceDone
    from heavylift.tables.requests import DatabaseSideRequest, TablesRequest

AGAINST = "8786"
"""The code of a run that would carry changes to the side that has become the live one."""
_FENCES = {
    DatabaseEngine.POSTGRESQL: ("heavylift.tables.postgres.fence", "PostgresFence"),
    DatabaseEngine.MYSQL: ("heavylift.tables.mysql.fence", "MysqlFence"),
    DatabaseEngine.MARIADB: ("heavylift.tables.mysql.fence", "MysqlFence"),
}


def freeze(
    request: TablesRequest, work: Work, *, side: Side, epoch: int, within_seconds: float
) -> FenceRecord:
    """Let no application write to a side's moved tables any more; see :meth:`Fence.freeze`."""
    began = time.monotonic()
    fence, fenced = fence_of(request, side)
    done = fence.freeze(fenced, work, epoch=epoch, within_seconds=within_seconds)
    return _record(request, side, "frozen", epoch, done, began)


def unfreeze(
    request: TablesRequest,
    work: Work,
    *,
    side: Side,
    epoch: int,
    within_seconds: float,
    whatever_the_other: bool = False,
) -> FenceRecord:
    """Let applications write to a side again; see :meth:`Fence.unfreeze`.

    :param whatever_the_other: also while the other side is open, or cannot be asked.
    :raises ConflictError: the other side is open: rows written to both would contradict each other.
    """
    began = time.monotonic()
    fence, fenced = fence_of(request, side)
    if not whatever_the_other:
        _demand_frozen(request, side.other)
    done = fence.unfreeze(fenced, work, epoch=epoch, within_seconds=within_seconds)
    return _record(request, side, "opened", epoch, done, began)


def drop(
    request: TablesRequest,
    work: Work,
    *,
    side: Side,
    epoch: int,
    within_seconds: float,
    though_frozen: bool = False,
) -> FenceRecord:
    """Take a side's fence away, with the note of its epochs; idempotent.

    :param though_frozen: also where that opens the side.
    :raises ConflictError: the side is frozen.
    """
    began = time.monotonic()
    fence, fenced = fence_of(request, side)
    state = fence.state(fenced)
    if state.writes is Writes.FROZEN and not though_frozen:
        raise ConflictError(
            f"dropping the fence of {fenced.in_words}",
            got="a side that is frozen: without its fence it would be open",
            expected="an open side, or the word that it may be opened",
            state="nothing was changed",
            remedy="leave it until the database is taken down, or say --though-frozen",
            code="8784",
        )
    done = fence.drop(fenced, work, epoch=epoch, within_seconds=within_seconds)
    return _record(request, side, "dropped", epoch, done, began)


def state_of(request: TablesRequest, side: Side) -> WriteState:
    """Tell whether applications may write to a side; changes nothing."""
    fence, fenced = fence_of(request, side)
    return fence.state(fenced)


def switched_to(request: TablesRequest) -> Side:
    """Tell which side applications write to: the open one, or while both are frozen the last that was.

    Where no fence was ever put up it is the source.

    :raises ConflictError: both sides are open, although the target has been switched to before.
    """
    target = state_of(request, Side.TARGET)
    if target.opened is None:
        # Never opened by a switch: whatever the source's state, the live rows are the source's.
        return Side.SOURCE
    if not _can_be_fenced(request, Side.SOURCE):
        return Side.SOURCE if target.writes is Writes.FROZEN else Side.TARGET
    source = state_of(request, Side.SOURCE)
    # Tables that have come since the fence was put up do not change the direction of all others.
    if source.writes is not target.writes:
        return Side.SOURCE if source.writes is Writes.OPEN else Side.TARGET
    if source.writes is Writes.FROZEN:
        return Side.TARGET if target.opened > (source.opened or 0) else Side.SOURCE
    raise ConflictError(
        f"telling which side of database {request.database!r} is the live one",
        got=f"a source that is open (epoch {source.epoch}) and a target that is open (epoch {target.epoch})",
        expected="one open side",
        state="nothing was changed",
        remedy="freeze the side that is not to be written to: heavylift tables freeze --side … --epoch …;"
        " compare both sides before changes flow on",
        retry_safe=False,
        code="8785",
    )


def flows_back(forward: TablesRequest) -> bool:
    """Tell whether changes flow back to the source now, because the target is the live side.

    :raises ConflictError: see :func:`switched_to`.
    """
    return _was_switched(forward) and switched_to(forward) is Side.TARGET


def demand_direction(request: TablesRequest) -> None:
    """Refuse to carry changes against the direction of the switch: they would undo the live side's rows.

    Only what can be told by the fences is refused; where there are none, nothing is.

    :raises ConflictError: the changes would flow to the live side.
    """
    forward = _forward(request)
    if _was_switched(forward) and flows_back(forward) is not (request.direction is Direction.REVERSE):
        live = "target" if request.direction is Direction.FORWARD else "source"
        raise ConflictError(
            f"carrying changes of database {request.database!r} to its {live}",
            got=f"fences by which applications write to the {live}",
            expected=f"a {live} that only Heavylift writes to",
            state="nothing was applied",
            remedy="carry the changes the other way: heavylift tables reverse sync after a switch, heavylift"
            " tables sync after a rollback; an operator with direction='live' finds it out by itself",
            code="8786",
        )


def fence_of(request: TablesRequest, side: Side) -> tuple[Fence, Fenced]:
    """Return what fences a side, and the side.

    :raises UnsupportedError: this version cannot fence it.
    """
    wanted, connection = _reached(request, side)
    home = _FENCES.get(wanted.engine)
    if home is None or connection is None:
        raise UnsupportedError(
            f"fencing the {side.value} of database {request.database!r}",
            got=f"{wanted.engine.value}" + (" whose changes come from topics alone" if home else ""),
            expected="PostgreSQL, MySQL or MariaDB, reached by a connection of its own",
            state="nothing was changed",
            remedy="name the database's own connection in the extra of the broker's (\"database_conn\")"
            if home
            else "stop the writers by the product's own means, and switch by hand",
            code="8782",
        )
    stream = _forward(request).stream
    fenced = Fenced(request.run.migration, request.database, side, stream, connection, request.options)
    return fence_for(wanted.engine), fenced


def fence_for(engine: DatabaseEngine) -> Fence:
    """Return what fences a product's tables; its module is imported here, when it is needed."""
    module, name = _FENCES[engine]
    return cast("Fence", getattr(import_module(module), name)())


def _forward(request: TablesRequest) -> TablesRequest:
    return request if request.direction is Direction.FORWARD else request.reversed()


def _reached(request: TablesRequest, side: Side) -> tuple[DatabaseSideRequest, Connection | None]:
    """Return a side, and the connection of the database itself where there is one."""
    forward = _forward(request)
    wanted = forward.source if side is Side.SOURCE else forward.target
    return wanted, wanted.database if wanted.connection.conn_type == "kafka" else wanted.connection


def _can_be_fenced(request: TablesRequest, side: Side) -> bool:
    wanted, connection = _reached(request, side)
    return wanted.engine in _FENCES and connection is not None


def _was_switched(forward: TablesRequest) -> bool:
    """Tell whether a switch has ever opened the target; before that any direction may be carried."""
    return _can_be_fenced(forward, Side.TARGET) and state_of(forward, Side.TARGET).opened is not None


def _demand_frozen(request: TablesRequest, side: Side) -> None:
    state = state_of(request, side)
    if state.is_frozen:
        return
    partly = f", {len(state.partly)} tables otherwise" if state.partly else ""
    raise ConflictError(
        f"opening the {side.other.value} of database {request.database!r}",
        got=f"a {side.value} that is {state.writes.value}{partly}",
        expected=f"a frozen {side.value}: one side is open at a time",
        state="nothing was changed",
        remedy=f"freeze the {side.value} first: heavylift tables freeze --side {side.value} --epoch …;"
        " where it is gone for good, say so (--whatever-the-other)",
        code="8783",
    )


def _record(
    request: TablesRequest, side: Side, act: str, epoch: int, done: FenceDone, began: float
) -> FenceRecord:
    return FenceRecord.model_validate(
        {
            "run": request.run,
            "database": request.database,
            "side": side.value,
            "act": act,
            "epoch": epoch,
            "writes": Writes.FROZEN.value if act == "frozen" else Writes.OPEN.value,
            "tables": done.tables,
            "already": done.already,
            "attempts": done.attempts,
            "waited_seconds": done.waited_seconds,
            "seconds": time.monotonic() - began,
            "position": done.position,
        }
    )
