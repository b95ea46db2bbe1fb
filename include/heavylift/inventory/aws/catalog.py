"""All rows of AWS, and the permissions that reading them needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from heavylift.inventory.aws.data_rows import DATA
from heavylift.inventory.aws.platform_rows import PLATFORM
from heavylift.inventory.aws.sagemaker_rows import SAGEMAKER
from heavylift.inventory.rows import Row
from heavylift.inventory.sizes import CALLS

ROWS: tuple[Row, ...] = (*SAGEMAKER, *DATA, *PLATFORM)
"""Every type of AWS that is read."""

_OURS = (
    ("sts", "GetCallerIdentity"),
    ("ec2", "DescribeRegions"),
)


def calls_of(row: Row) -> list[tuple[str, str]]:
    """Return (operation, permission or empty) of every call that reading ``row`` makes."""
    calls = [(row.listing, row.listing_permission)]
    if row.parent:
        calls.append((row.parent.operation, ""))
    if row.detail:
        calls.append((row.detail, ""))
    return [*calls, *((extra.operation, extra.permission) for extra in row.extras)]


def permissions(permission_of: Callable[[str, str], str], rows: Iterable[Row] = ROWS) -> list[str]:
    """Return every permission that an inventory of ``rows`` needs, sorted; all of them only read."""
    needed = {permission_of(service, operation) for service, operation in _OURS}
    needed |= {own or permission_of(service, operation) for service, operation, own in CALLS}
    for row in rows:
        needed |= {
            permission or permission_of(row.service, operation) for operation, permission in calls_of(row)
        }
    return sorted(needed)


def policy(permission_of: Callable[[str, str], str], rows: Iterable[Row] = ROWS) -> dict[str, Any]:
    """Return an IAM policy that grants what an inventory needs and nothing else."""
    statement = {
        "Sid": "HeavyliftInventory",
        "Effect": "Allow",
        "Action": permissions(permission_of, rows),
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
