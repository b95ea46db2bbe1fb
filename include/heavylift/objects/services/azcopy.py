"""AzCopy: command line, environment and output of one run, for S3 to Azure Blob.

Pure, but for looking up the program. Flags and output are those of AzCopy 10.32.2. Credentials
go through the environment only: arguments can be read by every user of the machine.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, UnsupportedError
from heavylift.evidence.records import Tally
from heavylift.objects.services.ports import ServiceError, ServiceOrder, ServiceState, ServiceStatus
from heavylift.objects.services.secrets import access_keys

NAME = "azcopy"
PROGRAM_VARIABLE = "HEAVYLIFT_AZCOPY"
"""Names the program where it is not on the path."""

_PASSED_ON = frozenset(
    {"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {name for word in ("http_proxy", "https_proxy", "no_proxy") for name in (word, word.upper())}
)
_STATES = {
    "Completed": ServiceState.SUCCEEDED,
    "CompletedWithSkipped": ServiceState.SUCCEEDED,
    "Cancelled": ServiceState.CANCELLED,
}
_MOST_SAMPLE = 300


@dataclass(frozen=True)
class Message:
    """One line of the program's output.

    :param kind: ``Init``, ``Progress``, ``EndOfJob``, ``Error``, ``Info`` and others.
    :param content: the inner JSON object where there is one, else ``{"text": …}``.
    """

    kind: str
    content: Mapping[str, Any]


def find_program(environ: Mapping[str, str] = os.environ) -> str:
    """Return the path of the program.

    :raises UnsupportedError: it is not installed here.
    """
    found = shutil.which(environ.get(PROGRAM_VARIABLE) or "azcopy", path=environ.get("PATH"))
    if found:
        return found
    raise UnsupportedError(
        "starting AzCopy",
        got="no such program on this worker",
        expected=f"azcopy on the path, or its place in {PROGRAM_VARIABLE}",
        state="nothing was started",
        remedy="install AzCopy 10 on the workers, or take via out of the dataset",
        code="5540",
    )


def copy_arguments(order: ServiceOrder, keys: Path) -> list[str]:
    """Return the arguments that copy the keys listed in the file ``keys``, one a line.

    Nothing on the target is overwritten, except where the plan replaces older copies of
    Heavylift's own.

    :raises UnsupportedError: the source is no bucket of AWS itself.
    """
    arguments = [
        "copy",
        _source_url(order),
        _target_url(order),
        "--from-to=S3Blob",
        f"--list-of-files={keys}",
        "--as-subdir=false",
        f"--overwrite={'true' if order.replaces else 'false'}",
        "--s2s-preserve-properties=true",
        "--s2s-preserve-access-tier=false",
        "--s2s-detect-source-changed=true",
        "--s2s-handle-invalid-metadata=FailIfInvalid",
        *_common(),
    ]
    if order.max_bandwidth:
        arguments.append(f"--cap-mbps={order.max_bandwidth * 8 / 1e6:.3f}")
    return arguments


def resume_arguments(job: str) -> list[str]:
    """Return the arguments that go on with a job that was stopped."""
    return ["jobs", "resume", job, *_common()]


def _common() -> list[str]:
    return ["--output-type=json", "--log-level=ERROR"]


def _source_url(order: ServiceOrder) -> str:
    location, connection = order.source.location, order.source.connection
    endpoint = connection.text("azcopy_source_endpoint") if connection else None
    if connection and connection.text("endpoint_url") and not endpoint:
        raise UnsupportedError(
            f"copying {location} by AzCopy",
            got="a connection to a store other than AWS's own",
            expected="a bucket of Amazon S3",
            state="nothing was started",
            remedy="take via out of the dataset: Heavylift's workers read every S3",
            code="5542",
        )
    region = (connection.text("region_name") if connection else None) or "us-east-1"
    host = endpoint or f"https://s3.{region}.amazonaws.com"
    return f"{host.rstrip('/')}/{location.container}/{location.prefix}"


def _target_url(order: ServiceOrder) -> str:
    location, connection = order.target.location, order.target.connection
    host = ((connection.host if connection else None) or "").rstrip("/")
    if not host.startswith(("https://", "http://")):
        raise ConnectionConfigError(
            f"copying to {location} by AzCopy",
            got=f"the host {host!r}",
            expected="https://ACCOUNT.blob.core.windows.net",
            state="nothing was started",
            remedy="correct the host of the Azure connection",
            code="5543",
        )
    return f"{host.partition('?')[0]}/{location.container}/{location.prefix}"


def environment(order: ServiceOrder, login: Connection, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the program: what it needs of this process's, and the credentials.

    :param login: the identity that writes the target: a service principal, or one of the machine.
    :raises ConnectionConfigError: the connection has only what would have to be an argument.
    """
    passed = {
        name: value for name, value in environ.items() if name in _PASSED_ON or name.startswith("AZCOPY_")
    }
    key, secret = access_keys(order.source, "another way to move this dataset")
    return {
        **passed,
        **_login(login),
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AZCOPY_DISABLE_SYSLOG": "true",
    }


def _login(connection: Connection) -> dict[str, str]:
    tenant, client = connection.text("tenant_id"), connection.text("managed_identity_client_id")
    if tenant and connection.login and connection.password:
        return {
            "AZCOPY_AUTO_LOGIN_TYPE": "SPN",
            "AZCOPY_TENANT_ID": tenant,
            "AZCOPY_SPA_APPLICATION_ID": connection.login,
            "AZCOPY_SPA_CLIENT_SECRET": connection.password,
        }
    if client:
        return {"AZCOPY_AUTO_LOGIN_TYPE": "MSI", "AZCOPY_MSI_CLIENT_ID": client}
    if connection.text("workload_identity_tenant_id"):
        return {"AZCOPY_AUTO_LOGIN_TYPE": "WORKLOAD"}
    raise ConnectionConfigError(
        f"logging AzCopy in with connection {connection.conn_id!r}",
        got="no identity of Microsoft Entra (a key or signature would have to stand in the arguments)",
        expected="tenant_id with login and password, or managed_identity_client_id",
        state="nothing was started",
        remedy="name a connection with such an identity in service.connection",
        code="5541",
    )


def read_line(line: str) -> Message | None:
    """Return the message of one line of output, or None where it is none."""
    try:
        outer = json.loads(line)
        kind, text = str(outer["MessageType"]), str(outer["MessageContent"])
    except (ValueError, KeyError, TypeError):
        return None
    try:
        inner = json.loads(text)
    except ValueError:
        inner = None
    return Message(kind, inner if isinstance(inner, dict) else {"text": text})


def status_of(messages: Iterable[Message], exit_status: int) -> ServiceStatus:
    """Return what the program's last words say; without an end of the job it has failed."""
    last: Mapping[str, Any] = {}
    errors: list[ServiceError] = []
    for message in messages:
        if message.kind == "EndOfJob":
            last = message.content
        elif message.kind == "Error":
            errors.append(ServiceError("error", 1, str(message.content.get("text", ""))[:_MOST_SAMPLE]))
    # With failures the program says CompletedWithErrors, or that and AndSkipped, and exits with 1.
    state = _STATES.get(str(last.get("JobStatus")), ServiceState.FAILED)
    if exit_status and state is ServiceState.SUCCEEDED:
        state = ServiceState.FAILED
    failed = [each for each in last.get("FailedTransfers") or () if isinstance(each, dict)]
    errors += [
        ServiceError(str(each.get("ErrorCode", "failed")), 1, str(each.get("Src", "")).partition("?")[0])
        for each in failed[:20]
    ]
    return ServiceStatus(
        state=state,
        copied=Tally(
            objects=_number(last, "TransfersCompleted"), size_bytes=_number(last, "TotalBytesTransferred")
        ),
        skipped=Tally(objects=_number(last, "TransfersSkipped")),
        failed=Tally(objects=_number(last, "TransfersFailed")),
        errors=tuple(errors),
    )


def _number(content: Mapping[str, Any], name: str) -> int:
    return int(content.get(name) or 0)
