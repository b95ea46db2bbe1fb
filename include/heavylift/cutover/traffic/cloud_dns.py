"""Google Cloud DNS: a name with weighted round robin, and a TXT record beside it with the epoch.

Both are replaced by one change that names what it deletes exactly: it is carried out whole or not at all, and
is a compare-and-swap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.ports import Side, Split
from heavylift.cutover.traffic.dns_marks import (
    MARK_TTL,
    Mark,
    full_name,
    is_fresh,
    mark_in,
    mark_name,
    new_mark,
    ttl_detail,
)
from heavylift.cutover.traffic.faults import check_no_mirror, no_such_route
from heavylift.cutover.traffic.route53 import NO_MIRROR
from heavylift.cutover.traffic.settings import confirm_seconds, needed
from heavylift.cutover.traffic.swapping import Looked, SwappedTraffic
from heavylift.errors import NotFoundError
from heavylift.platforms.gcp.changing import google_changes

_ADDRESS = "https://dns.googleapis.com"
RecordSet = Mapping[str, Any]


class CloudDnsTraffic(SwappedTraffic):
    """One weighted name in one managed zone.

    :param connection: type ``google_cloud_platform``; extra fields ``zone``, ``record``, ``source_rrdata``
        and ``target_rrdata`` (addresses or names of the two items), ``record_type`` (CNAME where absent).
    """

    def __init__(self, connection: Connection) -> None:
        zone, record, source, target = needed(connection, "zone", "record", "source_rrdata", "target_rrdata")
        self._record = full_name(record)
        self._type = (connection.text("record_type") or "CNAME").upper()
        self._rrdata = {Side.SOURCE: _plain(source), Side.TARGET: _plain(target)}
        super().__init__(f"{self._record} in Cloud DNS", confirm_seconds(connection))
        self._api, project = google_changes(connection, _ADDRESS)
        self._zone = f"dns/v1/projects/{project}/managedZones/{zone}"
        self._change_id = ""

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def check(self, what: str, wanted: Split) -> None:
        """Refuse to mirror."""
        check_no_mirror(what, "DNS", wanted.mirror_percent, NO_MIRROR)

    async def look(self) -> Looked:
        """Return the weights, and whether all of Google's servers know the last change."""
        record = await self._record_set(self._record, self._type)
        if record is None:
            raise no_such_route(f"reading {self.name}", f"no {self._type} record of the name", "one")
        mark_set = await self._record_set(mark_name(self._record), "TXT")
        values = (mark_set or {}).get("rrdatas") or [""]
        mark = mark_in(str(values[0])) if mark_set else Mark()
        weights = self._weights(record)
        total = sum(weights.values())
        percent = round(100 * weights[Side.TARGET] / total) if total else 50
        detail = {"record": self._record, **ttl_detail(mark, int(record.get("ttl") or 0))}
        split = Split(percent, 0, mark.epoch, detail)
        unconfirmed = not self._change_id and is_fresh(mark)
        return Looked(split, (record, mark_set), await self._pending(), unconfirmed)

    def _weights(self, record: RecordSet) -> dict[Side, float]:
        items = ((record.get("routingPolicy") or {}).get("wrr") or {}).get("items") or []
        found = {self._side(item): float(item.get("weight") or 0) for item in items}
        if set(found) != set(Side) or len(items) != len(Side):
            raise no_such_route(
                f"reading {self.name}",
                f"weighted items {', '.join(_told(item) for item in items) or 'none'}",
                f"just {' and '.join(self._rrdata.values())}",
            )
        return {side: found[side] for side in Side}

    def _side(self, item: Mapping[str, Any]) -> Side | None:
        return next((side for side in Side if _told(item) == self._rrdata[side]), None)

    async def _record_set(self, name: str, kind: str) -> RecordSet | None:
        try:
            return await self._api.get(f"{self._zone}/rrsets/{name}/{kind}")
        except NotFoundError:
            return None

    async def _pending(self) -> str:
        if not self._change_id:
            return ""
        answer = await self._api.get(f"{self._zone}/changes/{self._change_id}")
        status = str(answer.get("status") or "")
        return "" if status == "done" else f"Cloud DNS says {status}"

    async def change(self, seen: Looked, wanted: Split) -> None:
        """Send the change of both records."""
        record, mark_set = seen.found
        deletions = [_bare(each) for each in (record, mark_set) if each]
        additions = [self._with(record, wanted), _mark_record(self._record, new_mark(wanted.epoch))]
        body = {"additions": additions, "deletions": deletions}
        answer = await self._api.change("POST", f"{self._zone}/changes", body)
        self._change_id = str(answer["id"])

    def _with(self, record: RecordSet, wanted: Split) -> RecordSet:
        weights = {Side.TARGET: wanted.target_percent, Side.SOURCE: 100 - wanted.target_percent}
        made = _bare(record)
        policy, wrr = made["routingPolicy"], made["routingPolicy"]["wrr"]
        items = [{**each, "weight": weights[self._side(each) or Side.SOURCE]} for each in wrr["items"]]
        return {**made, "routingPolicy": {**policy, "wrr": {**wrr, "items": items}}}


def _bare(value: Any) -> Any:
    """Return a record without the names of kinds that answers carry."""
    if isinstance(value, Mapping):
        return {key: _bare(each) for key, each in value.items() if key != "kind"}
    return [_bare(each) for each in value] if isinstance(value, list) else value


def _mark_record(record: str, mark: Mark) -> RecordSet:
    return {"name": mark_name(record), "type": "TXT", "ttl": MARK_TTL, "rrdatas": [mark.text]}


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _told(item: Mapping[str, Any]) -> str:
    return ",".join(_plain(str(each)) for each in item.get("rrdatas") or ())
