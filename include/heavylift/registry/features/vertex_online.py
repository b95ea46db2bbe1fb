"""Feature views of Vertex AI: which group each serves, what it serves, and bringing it up to date."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from heavylift.errors import NotFoundError, PermanentError, TransientError
from heavylift.registry.catalogues.cloud_api import CloudApi
from heavylift.registry.features.bigquery import served_table, slashed
from heavylift.registry.features.description import View
from heavylift.registry.features.ports import Key, Served
from heavylift.registry.features.vertex_rules import data_key, served_of

_PAGE = 100

Raw = Mapping[str, Any]


class VertexOnline:
    """The feature views of one location.

    :param parent: project and location.
    :param store: id of the online store in which views are made; empty where none is named.
    :param at: returns what talks to a host that serves values.
    """

    def __init__(
        self,
        api: CloudApi,
        parent: str,
        store: str,
        at: Callable[[str], CloudApi],
        parallel: int,
        stop: threading.Event,
    ) -> None:
        self._api, self._parent, self._at, self._stop = api, parent, at, stop
        self.store = f"{parent}/featureOnlineStores/{store}" if store else ""
        self._parallel = parallel
        self._views: dict[str, Raw] = {}
        self._hosts: dict[str, CloudApi] = {}

    async def close(self) -> None:
        """Close connections to hosts that serve values."""
        for each in self._hosts.values():
            if each is not self._api:
                await each.close()

    async def read(self) -> dict[str, str]:
        """Read all views; return those that serve no group alone, with the reason."""
        self._views, odd = {}, {}
        stores = [self.store] if self.store else [name async for name in self._stores()]
        for store in stores:
            async for view in self.pages(f"v1/{store}/featureViews", "featureViews"):
                group = _group_of(view)
                if group and group not in self._views:
                    self._views[group] = view
                else:
                    why = f"another view serves {group}" if group else "it does not serve one feature group"
                    odd[str(view["name"]).rpartition("/")[2]] = why
        return odd

    def view_of(self, group: str) -> Raw | None:
        """Return the view that serves a group; None where none does."""
        return self._views.get(group)

    def serves(self, group: str) -> bool:
        """Tell whether a view serves a group."""
        return group in self._views

    def note(self, group: str, view: Raw) -> None:
        """Take in a view that was made."""
        self._views[group] = view

    async def fetch(self, view: View, keys: Sequence[Key]) -> list[Served]:
        """Fetch what is served for keys, in their order."""
        held = self._views.get(view.name)
        if held is None:
            return [Served() for _ in keys]
        name = str(held["name"])
        api, limit = await self._host(name.partition("/featureViews/")[0]), asyncio.Semaphore(self._parallel)

        async def one(key: Key) -> Served:
            async with limit:
                if self._stop.is_set():
                    raise _stopped(name)
                body = {"dataKey": data_key(key), "dataFormat": "KEY_VALUE"}
                try:
                    answer = await api.write("POST", f"v1/{name}:fetchFeatureValues", body)
                except NotFoundError:
                    return Served()
                return served_of(view, answer)

        return list(await asyncio.gather(*[one(key) for key in keys]))

    async def sync(self, group: str) -> int:
        """Let a group's view take the newest rows from its table; return how many keys it has then.

        :raises PermanentError: it could not.
        """
        name = str(self._views[group]["name"])
        sync = str((await self._api.write("POST", f"v1/{name}:sync", {}))["featureViewSync"])

        async def ended() -> Raw | None:
            if self._stop.is_set():
                raise _stopped(name)
            found = await self._api.get(f"v1/{sync}")
            return found if (found.get("runTime") or {}).get("endTime") else None

        told = await self._api.until(ended, f"waiting for {sync}")
        status: Raw = told.get("finalStatus") or {}
        if status.get("code"):
            raise PermanentError(
                f"bringing feature view {name} up to date",
                got=f"{status.get('code')}: {str(status.get('message'))[:300]}",
                expected="success",
                state="it serves what it served before",
                remedy="mend what the answer names (rights of the service agent on the table), and run again",
                code="9466",
            )
        return int((told.get("syncSummary") or {}).get("rowSynced") or 0)

    async def pages(self, path: str, field: str) -> AsyncIterator[Raw]:
        """Yield a listing's things."""
        query = {"pageSize": _PAGE}
        async for each in self._api.pages(path, field, query, "nextPageToken", "pageToken"):
            yield each

    async def _stores(self) -> AsyncIterator[str]:
        async for each in self.pages(f"v1/{self._parent}/featureOnlineStores", "featureOnlineStores"):
            yield str(each["name"])

    async def _host(self, store: str) -> CloudApi:
        if store not in self._hosts:
            raw = await self._api.get(f"v1/{store}")
            domain = str((raw.get("dedicatedServingEndpoint") or {}).get("publicEndpointDomainName") or "")
            self._hosts[store] = self._at(f"https://{domain}") if domain else self._api
        return self._hosts[store]


def _group_of(view: Raw) -> str:
    """Return the one group that a view serves; empty where it serves another thing."""
    groups = (view.get("featureRegistrySource") or {}).get("featureGroups") or []
    if len(groups) == 1:
        return str(groups[0]["featureGroupId"])
    uri = slashed(str((view.get("bigQuerySource") or {}).get("uri") or ""))
    own = str(view["name"]).rpartition("/")[2]
    # One that Heavylift made takes its rows from a table beside the group's, which is named as it is.
    return own if uri == served_table(f"{uri.rpartition('/')[0]}/{own}") else ""


def _stopped(name: str) -> TransientError:
    return TransientError(
        f"asking feature view {name}",
        got="a request to stop",
        expected="time to go on",
        state="nothing was concluded",
        remedy="run the same command again",
        code="9467",
    )
