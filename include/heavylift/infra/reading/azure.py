"""What Azure tells, in neutral words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.infra.reading.paths import Attributes, Row, at, number, word


def _ports(found: Attributes) -> list[dict[str, Any]]:
    opened = []
    for each in at("properties.securityRules[].properties", found) or ():
        low, _, high = str(each.get("destinationPortRange") or "").partition("-")
        if each.get("direction") != "Inbound" or each.get("access") != "Allow" or not low.isdigit():
            continue
        text = low if not high else f"{low}-{high}"
        protocol = str(each.get("protocol") or "tcp").lower()
        opened.append({"protocol": protocol, "ports": [text], "low": int(low), "high": int(high or low)})
    return opened


ROWS: Mapping[str, Row] = {
    "Azure::PostgreSQL::Server": {
        "engine": lambda _found: "postgres",
        "size_gb": number("properties.storage.storageSizeGB"),
        "high_availability": word(
            "properties.highAvailability.mode", {"zone": True, "same": True, "disabled": False}
        ),
        "instance_type": "sku.name",
    },
    "Azure::MySQL::Server": {
        "engine": lambda _found: "mysql",
        "size_gb": number("properties.storage.storageSizeGB"),
        "instance_type": "sku.name",
    },
    "Azure::SQL::Server": {"engine": lambda _found: "sqlserver"},
    "Azure::EventHub::Hub": {
        "shards": number("properties.partitionCount"),
        "retention_hours": lambda found: (
            (number("properties.messageRetentionInDays")(found) or 0) * 24 or None
        ),
        "retention_seconds": lambda found: (
            (number("properties.messageRetentionInDays")(found) or 0) * 86_400 or None
        ),
    },
    "Azure::Network::VirtualNetwork": {"cidr": "properties.addressSpace.addressPrefixes[0]"},
    "Azure::Network::SecurityGroup": {
        "ports": _ports,
        "ranges": "properties.securityRules[?properties.direction=='Inbound'].properties.sourceAddressPrefix",
    },
    "Azure::Compute::Disk": {"size_gb": number("properties.diskSizeGB")},
    "Azure::Compute::VirtualMachine": {"instance_type": "properties.hardwareProfile.vmSize"},
    "Azure::Monitor::LogWorkspace": {"retention_days": number("properties.retentionInDays")},
}
"""Native type to settings: a path, or a function."""
