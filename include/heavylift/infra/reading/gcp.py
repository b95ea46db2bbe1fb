"""What Google Cloud tells, in neutral words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.infra.reading.paths import ENGINES, TRUTH, Attributes, Row, at, number, word

_COLDER = {"NEARLINE": "cool", "COLDLINE": "cold", "ARCHIVE": "archive"}


def _lifecycle(found: Attributes) -> list[dict[str, Any]]:
    rules = []
    for rule in at("lifecycle.rule", found) or ():
        then = _COLDER.get(at("action.storageClass", rule) or "")
        if at("action.type", rule) == "Delete":
            then = "delete"
        days, old = at("condition.age", rule), at("condition.daysSinceNoncurrentTime", rule)
        prefixes = at("condition.matchesPrefix", rule)
        if then and (days is not None or old is not None):
            known = {"days": days, "noncurrent_days": old, "prefixes": prefixes, "then": then}
            rules.append({name: value for name, value in known.items() if value is not None})
    return rules


def _ports(found: Attributes) -> list[dict[str, Any]]:
    opened = []
    for each in found.get("allowed") or ():
        for text in each.get("ports") or ():
            low, _, high = str(text).partition("-")
            opened.append(
                {
                    "protocol": each.get("IPProtocol"),
                    "ports": [text],
                    "low": int(low),
                    "high": int(high or low),
                }
            )
    return opened


ROWS: Mapping[str, Row] = {
    "GCP::Storage::Bucket": {"versioning": word("versioning.enabled", TRUTH), "lifecycle": _lifecycle},
    "GCP::SQL::Instance": {
        "engine": word("databaseVersion", ENGINES),
        "size_gb": number("settings.dataDiskSizeGb"),
        "high_availability": word("settings.availabilityType", {"regional": True, "zonal": False}),
        "instance_type": "settings.tier",
    },
    "GCP::PubSub::Topic": {
        "retention_seconds": number("messageRetentionDuration"),
        "retention_hours": lambda found: (number("messageRetentionDuration")(found) or 0) // 3600 or None,
    },
    "GCP::Compute::Network": {"cidr": "IPv4Range"},
    "GCP::Compute::Subnetwork": {"cidr": "ipCidrRange"},
    "GCP::Compute::Firewall": {"ranges": "sourceRanges", "ports": _ports},
    "GCP::Compute::Disk": {"size_gb": number("sizeGb")},
    "GCP::Filestore::Instance": {"size_gb": number("fileShares[0].capacityGb")},
    "GCP::Functions::Function": {
        "timeout_seconds": number("serviceConfig.timeoutSeconds"),
        "entry_point": "buildConfig.entryPoint",
    },
    "GCP::Scheduler::Job": {"cron": "schedule", "time_zone": "timeZone"},
    "GCP::Logging::Bucket": {"retention_days": number("retentionDays")},
}
"""Native type to settings: a path, or a function."""
