"""Which hook drives which transfer service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavylift.objects.services.ports import TransferService


def open_service(service: dict[str, Any]) -> TransferService:
    """Return the adapter that ``service`` describes; plain JSON, so that a trigger can carry it.

    :param service: ``{"via", "conn_id", "project"}``.
    """
    from heavylift.spec.vocabulary import Via

    via = Via(service["via"])
    if via is Via.STORAGE_TRANSFER_SERVICE:
        from heavylift_airflow.hooks.services.storage_transfer import StorageTransferService

        return StorageTransferService(service["conn_id"], service.get("project"))
    from heavylift_airflow.hooks.services.datasync import DataSyncService

    return DataSyncService(service["conn_id"])
