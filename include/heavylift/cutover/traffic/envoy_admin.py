"""Envoy's admin interface: what is in force, and what was counted. Changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from heavylift.cutover.traffic.envoy_settings import EnvoySettings
from heavylift.errors import HeavyliftError, ServerUnavailableError, UnsupportedError
from heavylift.platforms.http import HttpClient, HttpSettings, Request

Document = dict[str, Any]
_LDS_VERSION = "listener_manager.lds.version_text"
_LDS_REJECTED = "listener_manager.lds.update_rejected"
_DRAINING = ("listener_manager.total_filter_chains_draining", "listener_manager.total_listeners_draining")


class EnvoyAdmin:
    """Asks one Envoy."""

    def __init__(self, settings: EnvoySettings) -> None:
        self._settings = settings
        http = HttpSettings(connections=1, attempts=2, connect_seconds=3.0, stall_seconds=10.0)
        self._http = HttpClient(self._sign, self._refused, settings=http)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def route(self) -> Document | None:
        """Return the ``RouteConfiguration`` that is in force, None where Envoy knows none of the name."""
        for each in await self._configs("dynamic_route_configs"):
            found = each.get("route_config")
            if isinstance(found, dict) and found.get("name") == self._settings.route:
                return found
        return None

    async def listener(self) -> Document | None:
        """Return the listener that is in force, None where Envoy knows none of the name."""
        for each in await self._configs("dynamic_listeners"):
            if each.get("name") == self._settings.route and "warming_state" not in each:
                found = (each.get("active_state") or {}).get("listener")
                return found if isinstance(found, dict) else None
        return None

    async def listeners_version(self) -> str:
        """Return the ``version_info`` of the file of listeners that was read last."""
        return str((await self.stats([_LDS_VERSION])).get(_LDS_VERSION) or "")

    async def rejections(self) -> int:
        """Return how many files of this route's kind Envoy has refused since it started."""
        suffixes = (f".rds.{self._settings.route}.update_rejected", _LDS_REJECTED)
        found = await self.stats(["update_rejected"])
        return sum(int(value) for name, value in found.items() if name.endswith(suffixes))

    async def missing(self, clusters: Iterable[str]) -> list[str]:
        """Return those of these clusters that Envoy does not have."""
        names = sorted(set(clusters))
        stat = "cluster.{}.membership_total"
        found = await self.stats([f"^{re.escape(stat.format(name))}$" for name in names])
        return [name for name in names if stat.format(name) not in found]

    async def members(self, cluster: str) -> tuple[int, int]:
        """Return how many hosts of a cluster are taken for healthy, and how many it has."""
        names = [f"cluster.{cluster}.membership_{kind}" for kind in ("healthy", "total")]
        found = await self.stats([f"^{re.escape(name)}$" for name in names])
        healthy, total = (int(found.get(name) or 0) for name in names)
        return healthy, total

    async def draining(self) -> int:
        """Return how many earlier versions of listeners still hold connections."""
        found = await self.stats(_DRAINING)
        return sum(int(value) for value in found.values())

    async def stats(self, patterns: Iterable[str]) -> dict[str, Any]:
        """Return counters, gauges and texts whose name holds one of these regular expressions."""
        answer = await self._get(f"/stats?format=json&filter={quote('|'.join(patterns), safe='')}")
        return {each["name"]: each["value"] for each in answer.get("stats") or () if "name" in each}

    async def histograms(self, pattern: str) -> dict[str, list[Mapping[str, Any]]]:
        """Return the buckets of histograms since Envoy started, by name."""
        query = f"format=json&histogram_buckets=detailed&filter={quote(pattern, safe='')}"
        answer = await self._get(f"/stats?{query}")
        sets = [each["histograms"] for each in answer.get("stats") or () if "histograms" in each]
        return {each["name"]: each.get("totals") or [] for one in sets for each in one.get("details") or ()}

    async def uptime(self) -> float:
        """Return since how many seconds this Envoy runs: its counters begin with it."""
        answer = await self._get("/server_info")
        return float(str(answer.get("uptime_current_epoch") or "0s").rstrip("s"))

    async def _configs(self, resource: str) -> list[Document]:
        answer = await self._get(f"/config_dump?resource={resource}")
        return [each for each in answer.get("configs") or () if isinstance(each, dict)]

    async def _get(self, target: str) -> Document:
        what = f"asking Envoy at {self._settings.admin_url}"
        request = Request("GET", self._settings.admin_url + target, what, {})
        response = await self._http.send(request)
        try:
            found = json.loads(bytes(response.body))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _no_envoy(what, "an answer that is no JSON object")
        return found

    async def _sign(self, request: Request) -> Mapping[str, str]:
        return {**request.headers, **self._settings.headers}

    def _refused(
        self, request: Request, status: int, _headers: Mapping[str, str], _body: bytes
    ) -> HeavyliftError | None:
        if status in (401, 403) or status >= 500:
            return None
        return _no_envoy(request.what, f"HTTP {status}")


def _no_envoy(what: str, got: str) -> HeavyliftError:
    return UnsupportedError(
        what,
        got=got,
        expected="the answer of Envoy's admin interface",
        state="nothing was changed",
        remedy="correct admin_url of the connection",
        code="8733",
    )


def not_answering(what: str, error: HeavyliftError) -> HeavyliftError:
    """Return the error of an Envoy that does not answer after its file was written."""
    return ServerUnavailableError(
        what,
        got=f"no answer of Envoy's admin interface ({error.got})",
        expected="an Envoy that tells what is in force",
        state="the file is written: Envoy takes it as soon as it runs again",
        remedy="start Envoy, then run the same shift again",
        code="8734",
    )
