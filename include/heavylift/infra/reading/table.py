"""The one way in: a component's settings in neutral words.

Settings are: ``versioning``, ``lifecycle`` (``days``, ``noncurrent_days``, ``prefixes``, ``then``: delete,
cool, cold, archive), ``cidr``, ``ranges``, ``ports`` (``protocol``, ``ports``, ``low``, ``high``),
``engine``, ``version``, ``size_gb``, ``high_availability``, ``instance_type``, ``least``, ``most``,
``retention_hours``, ``retention_days``, ``retention_seconds``, ``shards``, ``deliveries``,
``visibility_seconds``, ``runtime``, ``entry_point``, ``memory_mb``, ``timeout_seconds``, ``cron``,
``time_zone``, ``threshold``, ``comparison``, ``period_seconds``, ``hash_key``, ``range_key``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.evidence.inventory_records import Component
from heavylift.infra.reading.aws import ROWS as AWS
from heavylift.infra.reading.azure import ROWS as AZURE
from heavylift.infra.reading.gcp import ROWS as GCP
from heavylift.infra.reading.paths import Row, read

_ROWS: Mapping[str, Row] = {**AWS, **GCP, **AZURE}
_CAPABILITIES = {
    "AWS::EC2::Subnet": "subnet",
    "AWS::EC2::SecurityGroup": "firewall",
    "GCP::Compute::Subnetwork": "subnet",
    "GCP::Compute::Firewall": "firewall",
    "Azure::Network::SecurityGroup": "firewall",
    "AWS::Glue::Connection": "connection",
    "Azure::DataFactory::LinkedService": "connection",
    "Azure::Network::Interface": "interface",
}
"""Types that a plan sees as a network, and that are something of their own, or part of something else."""


def settings_of(component: Component) -> Mapping[str, Any]:
    """Return what is known of a component; what nobody tells is absent."""
    row = _ROWS.get(component.native_type, {})
    found = read(row, component.attributes)
    if component.size_bytes and "size_gb" not in found:
        found["size_gb"] = -(-component.size_bytes // 2**30)
    return found


def capability_of(planned: str, native_type: str) -> str:
    """Return the capability whose table makes a component of ``native_type``."""
    return _CAPABILITIES.get(native_type, planned)
