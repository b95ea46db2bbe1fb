"""What commands call: read a price list, and write tables that a plan can stand on in place of its own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import ConnectionConfigError, NotFoundError, SpecError
from heavylift.facts.refreshed import Refreshed, refreshed_path
from heavylift.facts.tables import overridden
from heavylift.platforms.control import Limits
from heavylift.platforms.planes import open_control_plane
from heavylift.pricing.model import MACHINES
from heavylift.pricing.tables import write_tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavylift.connections import Connection
    from heavylift.pricing.model import PriceList, Quotes

_LISTS = {
    "aws": ("heavylift.pricing.aws", "AwsPriceList"),
    "gcp": ("heavylift.pricing.gcp", "GooglePriceList"),
    "azure": ("heavylift.pricing.azure", "AzurePriceList"),
}
PLATFORMS = tuple(_LISTS)


@dataclass(frozen=True)
class RefreshRequest:
    """Which prices are read, and where their tables go.

    :param connection: with which the list is read; Azure's wants none.
    :param folder: of the tables; rows of other platforms that are there stay.
    """

    platform: str
    region: str
    folder: Path
    connection: Connection | None = None
    max_requests: float | None = 10.0


async def refresh_prices(request: RefreshRequest) -> Refreshed:
    """Read the prices of a region and write them as tables with date and source.

    A row whose price can't be told from the list without doubt keeps the one that it had, and says so.
    Changes nothing on the platform. Idempotency: a second call reads afresh and replaces the platform's rows.

    :raises NotFoundError: the list knows no price of that region at all; nothing is written.
    :raises CredentialError: a permission is missing, or the credentials are not accepted.
    :raises SpecError: a table in the folder can't be read.
    """
    return await asyncio.to_thread(_refresh, request)


def _refresh(request: RefreshRequest) -> Refreshed:
    folder = request.folder
    rows = overridden(MACHINES, folder if folder.is_dir() else None)
    prices = _opened(request)
    try:
        quotes = prices.read(request.region, [row for row in rows if row["provider"] == request.platform])
        requests = prices.requests
    finally:
        prices.close()
    if not quotes.matched:
        raise NotFoundError(
            f"reading the prices of {request.platform} in {request.region!r}",
            got="not a single price",
            expected="prices of the region",
            state="nothing was written",
            remedy="correct the region's name, as the platform writes it",
            code="9420",
        )
    now = datetime.now(UTC)
    made = _told(request, quotes, now, requests)
    try:
        write_tables(request.platform, request.region, folder, quotes, now.date().isoformat())
        path = refreshed_path(folder, request.platform)
        path.write_text(json.dumps(made.document(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise SpecError(
            f"writing the tables to {folder}",
            got=error.strerror or type(error).__name__,
            expected="a folder that can be written to",
            state="each table there is whole: the old one or the new one",
            remedy="name another folder (--out), or make room, and refresh again",
            code="9424",
        ) from None
    return made


def _opened(request: RefreshRequest) -> PriceList:
    module, name = _LISTS[request.platform]
    kind: Callable[..., PriceList] = getattr(import_module(module), name)
    limits = Limits(request.max_requests)
    if request.platform == "azure":
        return kind(request.connection, limits)
    if request.connection is None:
        raise ConnectionConfigError(
            f"reading the prices of {request.platform}",
            got="no connection",
            expected="one of that platform: its price list wants credentials",
            state="nothing was asked",
            remedy="name a connection (--conn)",
            code="9421",
        )
    return kind(open_control_plane(request.platform, request.connection, limits))


def _told(request: RefreshRequest, quotes: Quotes, now: datetime, requests: int) -> Refreshed:
    return Refreshed(
        platform=request.platform,
        region=request.region,
        source=quotes.source,
        read_at=now.isoformat(timespec="seconds"),
        machines=len(quotes.machines),
        egress=len(quotes.egress),
        requests=len(quotes.requests),
        kept={table: dict(sorted(rows.items())) for table, rows in sorted(quotes.kept.items())},
        calls=requests,
    )
