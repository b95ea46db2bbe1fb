"""What the rest of Heavylift calls to move objects: plan, copy, verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.lazily import lazily

if TYPE_CHECKING:
    from heavylift.objects.cleaning import Cleaning, clean_after_verification, clean_uploads, verify_and_clean
    from heavylift.objects.copy import copy_shard
    from heavylift.objects.deletes import delete_gone
    from heavylift.objects.plan import plan_transfer
    from heavylift.objects.progress import Progress
    from heavylift.objects.requests import TransferOptions, TransferRequest, transfer_request
    from heavylift.objects.restore import purge_quarantined, restore_quarantined
    from heavylift.objects.standing import proved_before
    from heavylift.objects.two_way.run import TwoWay, sync_two_way
    from heavylift.objects.verify import verify_transfer

__all__ = [
    "Cleaning",
    "Progress",
    "TransferOptions",
    "TransferRequest",
    "TwoWay",
    "clean_after_verification",
    "clean_uploads",
    "copy_shard",
    "delete_gone",
    "plan_transfer",
    "proved_before",
    "purge_quarantined",
    "restore_quarantined",
    "sync_two_way",
    "transfer_request",
    "verify_and_clean",
    "verify_transfer",
]

_HOMES = {
    "Cleaning": "cleaning",
    "Progress": "progress",
    "TransferOptions": "requests",
    "TransferRequest": "requests",
    "TwoWay": "two_way.run",
    "clean_after_verification": "cleaning",
    "clean_uploads": "cleaning",
    "copy_shard": "copy",
    "delete_gone": "deletes",
    "plan_transfer": "plan",
    "proved_before": "standing",
    "purge_quarantined": "restore",
    "restore_quarantined": "restore",
    "sync_two_way": "two_way.run",
    "transfer_request": "requests",
    "verify_and_clean": "cleaning",
    "verify_transfer": "verify",
}

__getattr__ = lazily(__name__, "heavylift.objects", _HOMES)
