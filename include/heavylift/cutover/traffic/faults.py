"""What every adapter of live traffic refuses in the same words."""

from __future__ import annotations

from heavylift.connections import Connection
from heavylift.cutover.ports import Split
from heavylift.errors import (
    ConnectionConfigError,
    HeavyliftError,
    NotFoundError,
    ServerUnavailableError,
    UnsupportedError,
)
from heavylift.fencing import superseded


def refuse_lower_epoch(what: str, epoch: int, in_force: int, detail: str = "") -> None:
    """Refuse an act of a switch that is over: a higher epoch has been seen.

    :param detail: where that epoch was found.
    :raises ConflictError: ``in_force`` is higher than ``epoch``.
    """
    if in_force > epoch:
        raise superseded(f"{what} ({detail})" if detail else what, in_force, epoch)


def check_asked(what: str, target_percent: int, mirror_percent: int, epoch: int) -> None:
    """Refuse numbers that no split has.

    :raises UnsupportedError: a percentage beyond 0 to 100, or an epoch below 1.
    """
    if 0 <= target_percent <= 100 and 0 <= mirror_percent <= 100 and epoch >= 1:
        return
    raise UnsupportedError(
        what,
        got=f"target {target_percent} %, mirror {mirror_percent} %, epoch {epoch}",
        expected="percentages from 0 to 100, and an epoch from 1",
        state="nothing was changed",
        remedy="correct the numbers",
        code="8721",
    )


def check_no_mirror(what: str, adapter: str, mirror_percent: int, remedy: str) -> None:
    """Refuse mirroring where the adapter has none.

    :raises UnsupportedError: ``mirror_percent`` is not 0.
    """
    if mirror_percent == 0:
        return
    raise UnsupportedError(
        what,
        got=f"mirroring of {mirror_percent} % of the requests",
        expected=f"none: {adapter} cannot mirror requests",
        state="nothing was changed",
        remedy=remedy,
        code="8722",
    )


def check_whole(what: str, adapter: str, target_percent: int) -> None:
    """Refuse a share that is neither nothing nor all, where connections are switched and not requests.

    :raises UnsupportedError: ``target_percent`` is neither 0 nor 100.
    """
    if target_percent in (0, 100):
        return
    raise UnsupportedError(
        what,
        got=f"{target_percent} % on the target",
        expected=f"0 or 100: {adapter} switches connections as a whole",
        state="nothing was changed",
        remedy="shift to 0 or to 100",
        code="8723",
    )


def check_mirror_alone(what: str, adapter: str, wanted: Split, most: int = 100) -> None:
    """Refuse mirroring where it would copy more than what the source answers, or more than is possible.

    :param most: the largest share that can be mirrored.
    :raises UnsupportedError: the target answers live requests as well, or the share is too large.
    """
    if wanted.mirror_percent == 0 or (wanted.target_percent == 0 and wanted.mirror_percent <= most):
        return
    raise UnsupportedError(
        what,
        got=f"mirroring of {wanted.mirror_percent} % beside {wanted.target_percent} % live",
        expected=f"mirroring of at most {most} % while the source answers everything: {adapter} can't mirror "
        "only what the source answers",
        state="nothing was changed",
        remedy="mirror at 0 % first, then shift without mirroring",
        code="8737",
    )


def wrong_connection(connection: Connection, got: str, expected: str) -> HeavyliftError:
    """Return the error of a connection that does not say enough."""
    return ConnectionConfigError(
        f"using connection {connection.conn_id!r} for live traffic",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=f"complete connection {connection.conn_id!r} (docs/reference/cutover-traffic.md)",
        code="8724",
    )


def other_cloud(connection: Connection, platform: str, side: str) -> HeavyliftError:
    """Return the error of an endpoint's own split that would have to reach another platform."""
    return UnsupportedError(
        f"opening the endpoint of connection {connection.conn_id!r}",
        got=f"a side on {side}",
        expected=f"both sides on {platform}: its endpoints send requests to models of their own alone",
        state="nothing was touched",
        remedy="use the adapter envoy or gateway_api before both sides, or dns between their addresses",
        code="8739",
    )


def no_such_route(what: str, got: str, expected: str) -> HeavyliftError:
    """Return the error of a route that is not there, or leads elsewhere than to the two sides."""
    return NotFoundError(
        what,
        got=got,
        expected=expected,
        state="nothing was changed",
        remedy="correct the names in the connection, or make the route first",
        code="8725",
    )


def not_in_force(what: str, wanted: str, seen: str, seconds: float, remedy: str) -> HeavyliftError:
    """Return the error of a split that was asked for and did not come into force in time."""
    return ServerUnavailableError(
        what,
        got=f"after {seconds:g} s: {seen}",
        expected=f"{wanted} in force",
        state="the split was asked for and may come into force later; the source and the target both serve",
        remedy=remedy,
        code="8726",
    )


def overtaken(what: str, seen: str) -> HeavyliftError:
    """Return the error of a shift that another one of the same epoch has replaced."""
    return ServerUnavailableError(
        what,
        got=f"another shift of the same epoch at the same time, which made it {seen}",
        expected="one shift at a time",
        state="what is in force is the other shift's",
        remedy="see that only one process drives this cutover, then shift again",
        code="8727",
    )


def wording(split: Split) -> str:
    """Return a split in a few words."""
    mirror = f", {split.mirror_percent} % of the source's mirrored" if split.mirror_percent else ""
    return f"{split.target_percent} % on the target{mirror} (epoch {split.epoch})"
