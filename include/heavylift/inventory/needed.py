"""What reading a platform needs: a role as the platform applies it, or a list of permissions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from heavylift.inventory.rows import Row


def requests_of(row: Row) -> list[tuple[str, str]]:
    """Return (operation, permission or empty) of every call that reading ``row`` makes."""
    calls = [(row.listing, row.listing_permission)]
    if row.parent:
        calls.append((row.parent.operation, row.parent.permission))
    if row.detail:
        calls.append((row.detail, ""))
    return [*calls, *((extra.operation, extra.permission) for extra in row.extras)]


def needed(platform: str, rows: Iterable[Row]) -> dict[str, Any]:
    """Return what an inventory of ``rows`` needs; all of it only reads."""
    if platform == "kubernetes":
        return _cluster_role(rows)
    named = {permission for row in rows for _, permission in requests_of(row) if permission}
    if platform == "gcp":
        from heavylift.platforms.gcp.control import OWN

        named |= set(OWN.values())
        return {"title": "Heavylift inventory", "stage": "GA", "includedPermissions": sorted(named)}
    if platform == "azure":
        from heavylift.platforms.azure.control import PERMISSION

        named.add(PERMISSION)
        return {
            "Name": "Heavylift inventory",
            "Description": "Reads what an inventory lists",
            "Actions": sorted(named),
            "NotActions": [],
            "AssignableScopes": ["/subscriptions/…"],
        }
    return {"permissions": _NATIVE[platform]}


_NATIVE = {
    "mlflow": ["READ on all experiments and registered models"],
    "postgresql": [
        "CONNECT on each database that is to be read",
        "membership in pg_monitor, for sizes",
        "SELECT (subconninfo) ON pg_subscription, where there are subscriptions",
    ],
    "mysql": [
        "SELECT on each schema that is to be read",
        "SELECT ON mysql.servers",
        "REPLICATION CLIENT (MariaDB: REPLICA MONITOR)",
    ],
    "kafka": ["Describe on Cluster", "Describe and DescribeConfigs on Topic *", "Describe on Group *"],
    "files": ["read and search permission on the folder and all below it"],
    "objects": [
        "S3: s3:ListAllMyBuckets, s3:ListBucket",
        "Cloud Storage: storage.buckets.list, storage.objects.list",
        "Azure: Storage Blob Data Reader on the account",
    ],
}


def _cluster_role(rows: Iterable[Row]) -> dict[str, Any]:
    groups: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        groups["" if row.service == "core" else row.service].add(row.listing.rpartition("/")[2])
    rules: list[dict[str, Any]] = [
        {"apiGroups": [group], "resources": sorted(resources), "verbs": ["list"]}
        for group, resources in sorted(groups.items())
    ]
    rules.append({"nonResourceURLs": ["/version"], "verbs": ["get"]})
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "heavylift-inventory"},
        "rules": rules,
    }
