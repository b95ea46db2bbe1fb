"""What ``heavylift decommission`` prints for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SIGN = {"passed": "ok", "failed": "NO", "unknown": "??"}


def unused_text(record: Mapping[str, Any]) -> str:
    """Return what was looked at, item by item."""
    return "\n".join(_items(record))


def plan_text(found: Mapping[str, Any]) -> str:
    """Return a plan and where it stands."""
    return "\n".join(_plan(found))


def deletion_text(found: Mapping[str, Any]) -> str:
    """Return what an attempt at the deletion did."""
    rows = f"objects: {found['rows_deleted']:,} deleted, {found['rows_absent']:,} found absent"
    tables = f"tables: {found['tables_dropped']:,} dropped, {found['tables_absent']:,} found absent"
    topics = f"topics: {found['topics_deleted']:,} deleted, {found['topics_absent']:,} found absent"
    return (
        f"{rows}\n{tables}\n{topics}\nplan {found['plan']['number']} is {found['state']}; next: certificate"
    )


def certificate_text(found: Mapping[str, Any]) -> str:
    """Return the certificate in a few lines."""
    record = found["certificate"]
    parts = [f"  {each['component']}: {each['counted']}; {each['absence']}" for each in record["parts"]]
    path = found["evidence"]["path"]
    whole = f"deletion certificate of {record['migration']}, plan {record['plan']}"
    return "\n".join([whole, *parts, f"evidence: {path}", f"to read: {path.removesuffix('.json')}.md"])


def status_text(found: Mapping[str, Any]) -> str:
    """Return where everything stands."""
    lines = [*_items(found["unused"])]
    lines += list(_plan(found)) if "plan" in found else ["there is no plan"]
    return "\n".join(lines)


def _items(record: Mapping[str, Any]) -> Iterator[str]:
    for each in record["items"]:
        named = f"{each['item']} {each['subject']}".strip()
        yield f"{_SIGN[each['verdict']]}  {named}: {each['detail']}"


def _plan(found: Mapping[str, Any]) -> Iterator[str]:
    plan = found["plan"]
    yield f"plan {plan['number']} is {found['state']}"
    for each in plan["datasets"]:
        yield (
            f"  dataset {each['dataset']}: {each['objects']:,} objects, {each['versions']:,} rows,"
            f" {each['size_bytes']:,} bytes of {each['url']}; {each['proof']}"
        )
    for each in plan["databases"]:
        rows = sum(table["rows"] for table in each["tables"])
        yield f"  database {each['database']}: {len(each['tables'])} tables, {rows:,} rows of {each['where']}"
    for each in plan["streams"]:
        yield f"  stream {each['stream']}: {len(each['topics'])} topics of {each['where']}; {each['proof']}"
    yield from (f"  kept: {each['component']}: {each['what']}: {each['reason']}" for each in plan["retained"])
    yield from (f"  by people: {each['component']}: {each['reason']}" for each in plan["by_people"])
    for event in found["events"]:
        yield f"  {event['at']}: {event['kind']} by {event['actor']}"
        yield from (f"    {line}" for line in event["detail"])
    if found["grace_ends"] and found["state"] == "disabled":
        yield f"grace until {found['grace_ends']}; heavylift decommission restore brings everything back"
    yield f"digest to approve: {found['digest']}"
    yield f"evidence: {found['evidence']['path']}"
