"""AWS DataSync: locations and task for an order, limits, and what an execution's answer says.

Pure: requests are built and answers read here; the Airflow hook sends them. Names are those of
botocore's model of DataSync. Tasks run in Enhanced mode, which needs no agent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import ConnectionConfigError, SpecError, UnsupportedError
from heavylift.evidence.records import Tally
from heavylift.objects.advice import limit
from heavylift.objects.services.ports import ServiceError, ServiceOrder, ServiceState, ServiceStatus
from heavylift.objects.services.secrets import hmac_keys, sas_token
from heavylift.platforms.places import Place

NAME = "datasync"
GOOGLE_HOST = "storage.googleapis.com"
_ENDED = {"SUCCESS": ServiceState.SUCCEEDED, "ERROR": ServiceState.FAILED}
_MOST_SAMPLE = 300


@dataclass(frozen=True)
class LocationCall:
    """One location to be made: the client's method and its arguments. Its repr shows no credential."""

    method: str
    arguments: dict[str, Any] = field(repr=False)


def locations(order: ServiceOrder) -> tuple[LocationCall, LocationCall]:
    """Return the calls that make the locations of source and target.

    :raises ConnectionConfigError: a connection lacks a credential.
    :raises UnsupportedError: DataSync cannot reach the place without an agent.
    """
    return (
        _location(order, order.source, order.options.source_role, "service.source_role"),
        _location(order, order.target, order.options.target_role, "service.target_role"),
    )


def _location(order: ServiceOrder, place: Place, role: str | None, role_field: str) -> LocationCall:
    subdirectory = f"/{place.location.prefix}"
    tags = [{"Key": "heavylift-order", "Value": order.name}]
    if place.location.scheme == "s3":
        return LocationCall(
            "create_location_s3",
            {
                "S3BucketArn": _bucket_arn(place.location.container, _role(role, role_field)),
                "Subdirectory": subdirectory,
                "S3Config": {"BucketAccessRoleArn": _role(role, role_field)},
                "Tags": tags,
            },
        )
    if place.location.scheme == "az":
        return LocationCall(
            "create_location_azure_blob",
            {
                "ContainerUrl": _container_url(place),
                "AuthenticationType": "SAS",
                "SasConfiguration": {"Token": sas_token(place)},
                "BlobType": "BLOCK",
                "Subdirectory": subdirectory,
                "Tags": tags,
            },
        )
    if place.location.scheme == "gs":
        key, secret = hmac_keys(place)
        return LocationCall(
            "create_location_object_storage",
            {
                "ServerHostname": GOOGLE_HOST,
                "ServerProtocol": "HTTPS",
                "BucketName": place.location.container,
                "Subdirectory": subdirectory,
                "AccessKey": key,
                "SecretKey": secret,
                "Tags": tags,
            },
        )
    raise UnsupportedError(
        f"a DataSync location for {place.location}",
        got=f"{place.location.scheme}://",
        expected="s3://, gs:// or az://",
        state="nothing was started",
        remedy="take via out of the dataset: Heavylift's workers read file systems",
        code="5533",
    )


def task_arguments(order: ServiceOrder) -> dict[str, Any]:
    """Return the arguments of the task, besides its locations.

    What is on the target is never overwritten, except where the plan replaces older copies of
    Heavylift's own; nothing is deleted. DataSync refuses a task that would keep tags where one
    side has none of S3's, so they are kept between S3 buckets only.
    """
    within = order.source.location.scheme == order.target.location.scheme == "s3"
    return {
        "Name": order.name,
        "TaskMode": "ENHANCED",
        "Options": {
            "VerifyMode": "ONLY_FILES_TRANSFERRED",
            "OverwriteMode": "ALWAYS" if order.replaces else "NEVER",
            "PreserveDeletedFiles": "PRESERVE",
            "TransferMode": "CHANGED",
            "ObjectTags": "PRESERVE" if within and order.keep_tags else "NONE",
        },
        "ManifestConfig": {
            "Action": "TRANSFER",
            "Format": "CSV",
            "Source": {"S3": _manifest(order)},
        },
    }


def _manifest(order: ServiceOrder) -> dict[str, str]:
    bucket, _, key = order.manifest.removeprefix("s3://").partition("/")
    target = order.target.location
    beside = target.scheme == "s3" and target.container == bucket
    role = order.options.target_role if beside else order.options.source_role or order.options.target_role
    arn = _role(role, "service.target_role")
    return {"S3BucketArn": _bucket_arn(bucket, arn), "ManifestObjectPath": key, "BucketAccessRoleArn": arn}


def _bucket_arn(bucket: str, role: str) -> str:
    # A bucket lies in the partition of its account: aws, aws-cn, aws-us-gov.
    return f"arn:{role.split(':')[1]}:s3:::{bucket}"


def _role(role: str | None, role_field: str) -> str:
    if role and role.startswith("arn:") and role.count(":") >= 5:
        return role
    raise SpecError(
        "starting a DataSync task",
        got=f"{role_field}: {role}" if role else f"no {role_field}",
        expected="the ARN of an IAM role, arn:aws:iam::ACCOUNT:role/NAME",
        state="nothing was started",
        remedy=f"name the role in {role_field}; docs/reference/transfer-services.md lists what it needs",
        code="5534",
    )


def _container_url(place: Place) -> str:
    host = (place.connection.host if place.connection else None) or ""
    account = host.removeprefix("https://").rstrip("/")
    if account and "." in account and not host.startswith("http://"):
        return f"https://{account}/{place.location.container}"
    raise ConnectionConfigError(
        f"a DataSync location for {place.location}",
        got=f"the host {host!r}",
        expected="https://ACCOUNT.blob.core.windows.net",
        state="nothing was started",
        remedy="correct the host of the Azure connection",
        code="5535",
    )


def check_limits(keys: Iterable[str], source_prefix: str, target_prefix: str) -> None:
    """Do nothing where DataSync can take all keys.

    :raises UnsupportedError: a key is longer than ``transfer_limits.csv`` allows; nothing was started.
    """
    most_bytes = int(limit("AWS DataSync", "max path length").split()[0])
    most_characters = int(limit("AWS DataSync", "S3 object name").split()[0])
    for rel in keys:
        for key in (source_prefix + rel, target_prefix + rel):
            if len(key.encode()) > most_bytes or len(key) > most_characters:
                raise UnsupportedError(
                    f"handing {key[:80]!r}… to DataSync",
                    got=f"a key of {len(key)} characters, {len(key.encode())} bytes",
                    expected=f"at most {most_characters} characters and {most_bytes} bytes",
                    state="nothing was started",
                    remedy="take via out of the dataset: Heavylift's workers carry such keys",
                    code="5536",
                )


def status_of(execution: Mapping[str, Any]) -> ServiceStatus:
    """Return what the answer to DescribeTaskExecution says."""
    state = _ENDED.get(str(execution.get("Status")), ServiceState.RUNNING)
    result = execution.get("Result") or {}
    code, detail = str(result.get("ErrorCode") or ""), str(result.get("ErrorDetail") or "")
    if state is ServiceState.FAILED and "cancel" in f"{code} {detail}".lower():
        state = ServiceState.CANCELLED
    failed = sum(int(number or 0) for number in (execution.get("FilesFailed") or {}).values())
    errors = (ServiceError(code, max(1, failed), detail[:_MOST_SAMPLE]),) if code or detail else ()
    return ServiceStatus(
        state=state,
        copied=Tally(
            objects=int(execution.get("FilesTransferred") or 0),
            size_bytes=int(execution.get("BytesTransferred") or 0),
        ),
        skipped=Tally(objects=int(execution.get("FilesSkipped") or 0)),
        failed=Tally(objects=failed),
        errors=errors,
    )
