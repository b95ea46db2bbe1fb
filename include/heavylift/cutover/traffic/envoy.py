"""Envoy with file-based dynamic configuration: the split is a file, and Envoy says when it is in force.

HTTP routes take any share and mirror; a TCP listener switches whole connections. The epoch stands in the
file, and so outlives a killed Envoy and a killed shift alike.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.ports import Replicas, Side, Split
from heavylift.cutover.traffic import envoy_files as files
from heavylift.cutover.traffic import envoy_tcp as tcp
from heavylift.cutover.traffic.envoy_admin import EnvoyAdmin, not_answering
from heavylift.cutover.traffic.envoy_lock import alone
from heavylift.cutover.traffic.envoy_observing import observed
from heavylift.cutover.traffic.envoy_routes import split_of, with_split
from heavylift.cutover.traffic.envoy_settings import EnvoySettings, RouteKind, envoy_settings
from heavylift.cutover.traffic.faults import (
    check_asked,
    check_no_mirror,
    check_whole,
    no_such_route,
    not_in_force,
    overtaken,
    refuse_lower_epoch,
    wording,
)
from heavylift.cutover.traffic.observing import Observation
from heavylift.errors import ConflictError, PermanentError, TransientError

Document = dict[str, Any]
_POLL = 0.02


class EnvoyTraffic:
    """One route of one Envoy, as a :class:`heavylift.cutover.ports.TrafficPort`."""

    def __init__(self, settings: EnvoySettings) -> None:
        self.settings = settings
        self._admin = EnvoyAdmin(settings)

    async def close(self) -> None:
        """Close the connections to Envoy."""
        await self._admin.close()

    async def read(self) -> Split:
        """Tell what Envoy does now, by its admin interface; changes nothing.

        ``detail["file_says"]`` tells of a file that says otherwise, or can't be read: Envoy has not taken it.

        :raises ServerUnavailableError: Envoy does not answer.
        :raises NotFoundError: it has no such route, or that leads elsewhere.
        """
        now = await self._in_force()
        detail = {"admin": self.settings.admin_url, "file": str(self.settings.file)}
        if self.settings.address:
            detail["address"] = self.settings.address
        detail |= self._file_says(now)
        return replace(now, detail=detail)

    def _file_says(self, now: Split) -> dict[str, str]:
        try:
            described = self._described(files.read_document(self.settings.file))
        except PermanentError as error:
            return {"file_says": error.got}
        return {} if _same(described, now) else {"file_says": wording(described)}

    async def shift(self, target_percent: int, *, mirror_percent: int = 0, epoch: int) -> Split:
        """Write the split and return once Envoy does it; with a TCP listener, once no connection is left
        that was opened before.

        Idempotent: what is so already is neither written nor taken again. Requests that are under way end
        where they began.

        :raises ConflictError: a higher epoch is in force (8701), or Envoy refuses the file (8735), which is
            then as it was.
        :raises UnsupportedError: a listener can't be split or mirrored.
        :raises TransientError: it did not come into force in time.
        """
        what = f"shifting route {self.settings.route} of Envoy to {target_percent} % on the target"
        check_asked(what, target_percent, mirror_percent, epoch)
        if self.settings.kind is RouteKind.TCP:
            check_whole(what, "a TCP listener", target_percent)
            check_no_mirror(what, "a TCP listener", mirror_percent, "mirror requests on an HTTP route")
        elif target_percent == 100:
            mirror_percent = 0  # the source answers nothing that could be mirrored
        wanted = Split(target_percent, mirror_percent, epoch)
        rejected = await self._looked_at(what, wanted)
        before = await self._written(what, wanted)
        await self._come_into_force(what, wanted, before, rejected)
        return await self.read()

    async def observe(self) -> Observation:
        """Tell what Envoy counted for each side since it started; changes nothing.

        :raises ServerUnavailableError: Envoy does not answer.
        """
        return await observed(self._admin, self.settings)

    async def replicas(self, side: Side) -> Replicas | None:
        """Tell how many hosts of a side's cluster Envoy takes for healthy."""
        healthy, total = await self._admin.members(self.settings.clusters[side])
        return Replicas(healthy, total, "hosts")

    async def _looked_at(self, what: str, wanted: Split) -> int | None:
        """Refuse a lower epoch than Envoy's, whatever the file says; return how many files it has refused.

        An Envoy that does not answer is no obstacle: it shall start with the right file.
        """
        try:
            refuse_lower_epoch(what, wanted.epoch, (await self._in_force()).epoch, self.settings.admin_url)
            # Envoy itself takes a route to a cluster that it does not have, and fails its requests.
            missing = await self._admin.missing(self._needed(wanted))
            if missing:
                raise no_such_route(what, f"no cluster {', '.join(missing)}", "the connection's clusters")
            return await self._admin.rejections()
        except TransientError:
            return None

    def _needed(self, wanted: Split) -> set[str]:
        live = {self.settings.cluster_of(side, wanted.target_percent) for side in Side}
        return live | set(self.settings.clusters.values())

    async def _written(self, what: str, wanted: Split) -> Document | None:
        """Write the file, unless it says so already; return what it held before."""
        async with alone(self.settings.file, epoch=wanted.epoch) as folder:
            document = files.read_document(self.settings.file)
            now = self._described(document)
            refuse_lower_epoch(what, wanted.epoch, now.epoch, str(self.settings.file))
            changed = self._with(document, wanted)
            if changed == document:
                return None
            files.write_document(self.settings.file, changed, folder)
            return document

    async def _come_into_force(
        self, what: str, wanted: Split, before: Document | None, rejected: int | None
    ) -> None:
        seen, silent = "nothing", None
        async for _ in _polls(self.settings.confirm_seconds):
            try:
                now = await self._in_force()
                in_force = _same(now, wanted)
                if in_force and not await self._waits_for_old_connections():
                    return
                seen, silent = wording(now), None
                if in_force:
                    seen += ", but connections that were opened before are still open"
                elif before and rejected is not None and await self._admin.rejections() > rejected:
                    raise await self._refused_by_envoy(what, wanted, before)
            except TransientError as error:
                silent = error
            await self._refuse_other(what, wanted)
        if silent is not None:
            raise not_answering(what, silent)
        raise not_in_force(
            what,
            wording(wanted),
            seen,
            self.settings.confirm_seconds,
            "see that Envoy watches this file, and with a TCP listener that it was started with a short "
            "--drain-time-s; then run the same shift again",
        )

    async def _refuse_other(self, what: str, wanted: Split) -> None:
        """Refuse to go on waiting where the file is not ours any more."""
        written = self._described(files.read_document(self.settings.file))
        refuse_lower_epoch(what, wanted.epoch, written.epoch, str(self.settings.file))
        if not _same(written, wanted):
            raise overtaken(what, wording(written))

    async def _refused_by_envoy(self, what: str, wanted: Split, before: Document) -> ConflictError:
        """Put the earlier file back, and return the error that tells it."""
        async with alone(self.settings.file, epoch=wanted.epoch) as folder:
            if _same(self._described(files.read_document(self.settings.file)), wanted):
                files.write_document(self.settings.file, before, folder)
        return ConflictError(
            what,
            got="an Envoy that refuses the file",
            expected="clusters and routes that it knows",
            state="the file is again as it was, and Envoy does what it did before",
            remedy="look into Envoy's log for the reason: often a cluster that it does not have",
            code="8735",
        )

    async def _waits_for_old_connections(self) -> bool:
        return self.settings.kind is RouteKind.TCP and await self._admin.draining() > 0

    async def _in_force(self) -> Split:
        if self.settings.kind is RouteKind.HTTP:
            route = await self._admin.route()
            return split_of(self._known(route), self.settings)
        listener = self._known(await self._admin.listener())
        percent = 100 if tcp.side_of(listener, self.settings) is Side.TARGET else 0
        version = await self._admin.listeners_version()
        return Split(percent, 0, tcp.epoch_in(version, self.settings.route))

    def _known(self, found: Document | None) -> Document:
        if found is None:
            raise no_such_route(
                f"asking Envoy at {self.settings.admin_url}",
                f"no {self.settings.kind} route {self.settings.route}",
                "one that comes from a file (path_config_source)",
            )
        return found

    def _described(self, document: Document) -> Split:
        """Return the split that a file describes."""
        _, resource = self._resource(document)
        if self.settings.kind is RouteKind.HTTP:
            return split_of(resource, self.settings)
        percent = 100 if tcp.side_of(resource, self.settings) is Side.TARGET else 0
        version = str(document.get("version_info") or "")
        return Split(percent, 0, tcp.epoch_in(version, self.settings.route))

    def _with(self, document: Document, wanted: Split) -> Document:
        """Return a file's document with another split; nothing else in it differs."""
        number, resource = self._resource(document)
        resources = list(document["resources"])
        made = {**document, "resources": resources}
        if self.settings.kind is RouteKind.HTTP:
            resources[number] = with_split(resource, wanted, self.settings)
            made["version_info"] = f"heavylift {self.settings.route}:{wanted.epoch}"
            return made
        resources[number] = tcp.with_side(resource, wanted, self.settings)
        version = str(document.get("version_info") or "")
        made["version_info"] = tcp.version_with(version, self.settings.route, wanted.epoch)
        return made

    def _resource(self, document: Document) -> tuple[int, Document]:
        for number, each in enumerate(document["resources"]):
            if each.get("name") == self.settings.route:
                return number, each
        raise no_such_route(
            f"reading {self.settings.file}",
            f"no {self.settings.route}",
            "the connection's route",
        )


def _same(one: Split, other: Split) -> bool:
    """Tell whether two splits are equal, whatever else is told of them."""
    return replace(one, detail={}) == replace(other, detail={})


async def _polls(seconds: float) -> AsyncIterator[None]:
    end = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= end
        yield
        if late:
            return
        await asyncio.sleep(_POLL)


@asynccontextmanager
async def open_envoy(connection: Connection) -> AsyncIterator[EnvoyTraffic]:
    """Open the route that a connection of type ``envoy`` names.

    :raises ConnectionConfigError: the connection lacks a field.
    """
    traffic = EnvoyTraffic(envoy_settings(connection))
    try:
        yield traffic
    finally:
        await traffic.close()
