"""Amazon Route 53: two weighted record sets of one name, and a TXT record beside them with the epoch.

All three are replaced by one change, which Route 53 carries out whole or not at all; the TXT record is
deleted by its exact value, so that the change is a compare-and-swap.
"""

from __future__ import annotations

import asyncio
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
from heavylift.cutover.traffic.settings import confirm_seconds, needed
from heavylift.cutover.traffic.swapping import Looked, SwappedTraffic
from heavylift.errors import PermanentError, PreconditionError
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.settings import region_of

_CHANGES = frozenset({"ChangeResourceRecordSets"})
NO_MIRROR = "mirror with a proxy or a gateway before both sides, or compare the models beforehand"
RecordSet = Mapping[str, Any]


class Route53Traffic(SwappedTraffic):
    """One weighted name in one hosted zone.

    :param connection: type ``aws``; extra fields ``zone_id``, ``record``, ``source_identifier`` and
        ``target_identifier`` (the sets' identifiers), and ``record_type`` (CNAME where absent).
    """

    def __init__(self, connection: Connection) -> None:
        self._zone, record, source, target = needed(
            connection, "zone_id", "record", "source_identifier", "target_identifier"
        )
        self._record = full_name(record)
        self._type = (connection.text("record_type") or "CNAME").upper()
        self._identifiers = {Side.SOURCE: source, Side.TARGET: target}
        super().__init__(f"{self._record} in Route 53", confirm_seconds(connection))
        self._reads = AwsControlPlane(connection)
        self._writes = AwsChanges(connection, self._reads, _CHANGES)
        self._region = region_of(connection)
        self._change_id = ""

    def check(self, what: str, wanted: Split) -> None:
        """Refuse to mirror."""
        check_no_mirror(what, "DNS", wanted.mirror_percent, NO_MIRROR)

    async def look(self) -> Looked:
        """Return the weights, and whether all of Route 53's servers know the last change."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> Looked:
        sets = self._sets()
        mark_set = self._mark_set()
        mark = mark_in(_value(mark_set)) if mark_set else Mark()
        weights = {side: int(sets[side]["Weight"]) for side in Side}
        total = sum(weights.values())
        percent = round(100 * weights[Side.TARGET] / total) if total else 50
        ttl = max(int(sets[side].get("TTL") or 60) for side in Side)  # aliases have Amazon's own 60 s
        detail = {"record": self._record, "zone": self._zone, **ttl_detail(mark, ttl)}
        split = Split(percent, 0, mark.epoch, detail)
        return Looked(split, (sets, mark_set), self._pending(), not self._change_id and is_fresh(mark))

    def _sets(self) -> dict[Side, RecordSet]:
        found = [each for each in self._listed(self._record) if each.get("Type") == self._type]
        by_name = {str(each.get("SetIdentifier") or ""): each for each in found}
        sides = {
            side: by_name[name]
            for side, name in self._identifiers.items()
            if name in by_name and "Weight" in by_name[name]
        }
        others = sorted(set(by_name) - set(self._identifiers.values()))
        if len(sides) < len(Side) or others:
            raise no_such_route(
                f"reading {self._type} records of {self.name}",
                f"the weighted sets {', '.join(sorted(by_name)) or 'none'}",
                f"just {' and '.join(self._identifiers.values())}, with weights",
            )
        return sides

    def _mark_set(self) -> RecordSet | None:
        name = mark_name(self._record)
        return next((each for each in self._listed(name) if each.get("Type") == "TXT"), None)

    def _listed(self, name: str) -> list[RecordSet]:
        arguments = {"HostedZoneId": self._zone, "StartRecordName": name, "MaxItems": "100"}
        answer = self._reads.call("route53", "ListResourceRecordSets", self._region, arguments)
        return [each for each in answer["ResourceRecordSets"] if full_name(each["Name"]) == name]

    def _pending(self) -> str:
        if not self._change_id:
            return ""
        answer = self._reads.call("route53", "GetChange", self._region, {"Id": self._change_id})
        status = str(answer["ChangeInfo"]["Status"])
        return "" if status == "INSYNC" else f"Route 53 says {status}"

    async def change(self, seen: Looked, wanted: Split) -> None:
        """Send the change of all three records."""
        await asyncio.to_thread(self._change, seen, wanted)

    def _change(self, seen: Looked, wanted: Split) -> None:
        sets, mark_set = seen.found
        weights = {Side.TARGET: wanted.target_percent, Side.SOURCE: 100 - wanted.target_percent}
        changes = [_act("DELETE", mark_set)] if mark_set else []
        changes.append(_act("CREATE", _mark_record(self._record, new_mark(wanted.epoch))))
        changes += [_act("UPSERT", {**sets[side], "Weight": weights[side]}) for side in Side]
        batch = {"Comment": f"heavylift epoch {wanted.epoch}", "Changes": changes}
        arguments = {"HostedZoneId": self._zone, "ChangeBatch": batch}
        try:
            answer = self._writes.change("route53", "ChangeResourceRecordSets", self._region, arguments)
        except PermanentError as error:
            if not any(word in error.got for word in ("InvalidChangeBatch", "PriorRequestNotComplete")):
                raise
            raise changed_meanwhile(self.name, error.got) from None
        self._change_id = str(answer["ChangeInfo"]["Id"]).rpartition("/")[2]


def changed_meanwhile(name: str, got: str) -> PreconditionError:
    """Return the error of a record that is not what was seen."""
    return PreconditionError(
        f"changing {name}",
        got=got,
        expected="the records that were looked at",
        state="nothing was changed: the change is carried out whole or not at all",
        remedy="run the same command again: it looks afresh",
        code="8738",
    )


def _act(act: str, record: RecordSet) -> dict[str, Any]:
    return {"Action": act, "ResourceRecordSet": dict(record)}


def _mark_record(record: str, mark: Mark) -> RecordSet:
    return {
        "Name": mark_name(record),
        "Type": "TXT",
        "TTL": MARK_TTL,
        "ResourceRecords": [{"Value": mark.text}],
    }


def _value(record: RecordSet) -> str:
    values = record.get("ResourceRecords") or [{}]
    return str(values[0].get("Value") or "")
