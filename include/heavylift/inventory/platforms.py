"""Which rows a platform has, who reads them, and in which units."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from heavylift.errors import SpecError, UnsupportedError
from heavylift.inventory.reading import Unit
from heavylift.spec.vocabulary import Platform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavylift.inventory.requests import InventoryRequest
    from heavylift.inventory.rows import Row
    from heavylift.platforms.control import ControlPlane


def rows_of(platform: Platform) -> tuple[Row, ...]:
    """Return the types that are read of a platform.

    :raises UnsupportedError: none, in this version.
    """
    if platform is Platform.AWS:
        from heavylift.inventory.aws.catalog import ROWS

        return ROWS
    raise UnsupportedError(
        f"taking the inventory of {platform.value}",
        got=f"platform {platform.value}",
        expected="aws",
        state="nothing was touched",
        remedy="take this platform's inventory by hand; docs/limitations.md tells what is read",
        code="7624",
    )


def open_plane(request: InventoryRequest, stop: threading.Event) -> ControlPlane:
    """Return what reads the request's platform.

    :raises ConnectionConfigError: the connection is of another type.
    """
    from heavylift.platforms.aws.control import AwsControlPlane

    return AwsControlPlane(
        request.connection,
        most_requests_per_second=request.options.max_requests,
        parallel=request.options.parallel,
        stop=stop,
    )


def check_options(request: InventoryRequest) -> None:
    """Do nothing where all types to be left out exist.

    :raises SpecError: one does not.
    """
    known = {row.native_type for row in rows_of(request.platform)}
    unknown = sorted(set(request.options.skip) - known)
    if unknown:
        raise SpecError(
            "reading --skip",
            got=", ".join(unknown),
            expected=f"some of {', '.join(sorted(known))}",
            state="nothing was touched",
            remedy="correct --skip",
            code="7625",
        )


def units_of(request: InventoryRequest, plane: ControlPlane, regions: Sequence[str]) -> list[Unit]:
    """Return what is read: each type in each region that offers it, global types once."""
    units = []
    for row in rows_of(request.platform):
        if row.native_type in request.options.skip:
            continue
        there = [region for region in regions if row.is_global or plane.offers(row.service, region)]
        units += [Unit(row, region) for region in (there[:1] if row.is_global else there)]
    return units


def needed_policy() -> dict[str, Any]:
    """Return the IAM policy that an inventory of AWS needs; it needs no credentials to be made."""
    from heavylift.inventory.aws.catalog import policy
    from heavylift.platforms.aws.control import permission_of_operation

    return policy(permission_of_operation)
