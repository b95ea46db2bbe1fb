"""Google Storage Transfer Service: the job for an order, and what an operation's answer says.

Pure: requests are built and answers read here; the Airflow hook sends them. Field names are those
of the discovery document ``storagetransfer:v1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.errors import UnsupportedError
from heavylift.evidence.records import Tally
from heavylift.objects.services.ports import ServiceError, ServiceOrder, ServiceState, ServiceStatus
from heavylift.objects.services.secrets import access_keys, sas_token, storage_account
from heavylift.platforms.places import Place

NAME = "storage-transfer-service"
_STATES = {
    "SUCCESS": ServiceState.SUCCEEDED,
    "FAILED": ServiceState.FAILED,
    "ABORTED": ServiceState.CANCELLED,
}
_MOST_SAMPLE = 300


def job_name(order_name: str) -> str:
    """Return the job's resource name; it must begin so and end in a letter or digit."""
    return f"transferJobs/{order_name}"


def job_body(order: ServiceOrder, project: str) -> dict[str, Any]:
    """Return the transfer job for ``order``; it has no schedule, so it runs when it is told to.

    What is on the target is never overwritten, except where the plan replaces older copies of
    Heavylift's own; nothing is deleted on either side.

    :raises ConnectionConfigError: the source's connection lacks a credential.
    :raises UnsupportedError: the service cannot read from the source.
    """
    return {
        "name": job_name(order.name),
        "projectId": project,
        "description": "Heavylift",
        "status": "ENABLED",
        "transferSpec": {
            **_source(order),
            "gcsDataSink": _bucket(order.target),
            "transferManifest": {"location": order.manifest},
            "transferOptions": {
                "overwriteWhen": "DIFFERENT" if order.replaces else "NEVER",
                "deleteObjectsUniqueInSink": False,
                "deleteObjectsFromSourceAfterTransfer": False,
            },
        },
    }


def _source(order: ServiceOrder) -> dict[str, Any]:
    place, scheme = order.source, order.source.location.scheme
    if scheme == "s3":
        data = _bucket(place)
        if order.options.source_role:
            return {"awsS3DataSource": {**data, "roleArn": order.options.source_role}}
        key, secret = access_keys(place, "service.source_role")
        return {"awsS3DataSource": {**data, "awsAccessKey": {"accessKeyId": key, "secretAccessKey": secret}}}
    if scheme == "az":
        return {
            "azureBlobStorageDataSource": {
                "storageAccount": storage_account(place),
                "container": place.location.container,
                "path": place.location.prefix,
                "azureCredentials": {"sasToken": f"?{sas_token(place)}"},
            }
        }
    if scheme == "gs":
        return {"gcsDataSource": _bucket(place)}
    raise UnsupportedError(
        f"a transfer job from {place.location}",
        got=f"{scheme}://",
        expected="s3://, az:// or gs://",
        state="nothing was started",
        remedy="take via out of the dataset: Heavylift's workers read file systems",
        code="5532",
    )


def _bucket(place: Place) -> dict[str, Any]:
    return {"bucketName": place.location.container, "path": place.location.prefix}


def status_of(operation: Mapping[str, Any]) -> ServiceStatus:
    """Return what an operation's answer says; one without metadata counts as running."""
    metadata = operation.get("metadata") or {}
    counters = metadata.get("counters") or {}

    def tally(objects: str, size: str) -> Tally:
        return Tally(objects=int(counters.get(objects) or 0), size_bytes=int(counters.get(size) or 0))

    state = _STATES.get(str(metadata.get("status")), ServiceState.RUNNING)
    errors = [_error(breakdown) for breakdown in metadata.get("errorBreakdowns") or ()]
    if operation.get("done") and operation.get("error"):
        failure = operation["error"]
        errors.append(
            ServiceError(str(failure.get("code", "")), 1, str(failure.get("message"))[:_MOST_SAMPLE])
        )
        state = ServiceState.FAILED if state is ServiceState.RUNNING else state
    return ServiceStatus(
        state=state,
        copied=tally("objectsCopiedToSink", "bytesCopiedToSink"),
        skipped=tally("objectsFromSourceSkippedBySync", "bytesFromSourceSkippedBySync"),
        failed=tally("objectsFromSourceFailed", "bytesFromSourceFailed"),
        errors=tuple(errors),
    )


def _error(breakdown: Mapping[str, Any]) -> ServiceError:
    first: Mapping[str, Any] = next(iter(breakdown.get("errorLogEntries") or ()), {})
    details = "; ".join(str(text) for text in first.get("errorDetails") or ())
    sample = f"{first.get('url', '')} {details}".strip()
    return ServiceError(
        str(breakdown.get("errorCode", "")), int(breakdown.get("errorCount") or 0), sample[:_MOST_SAMPLE]
    )
