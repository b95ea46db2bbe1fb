"""Google Storage Transfer Service through the Google provider's hook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    NotFoundError,
    PermanentError,
    ServerUnavailableError,
    SpecError,
    ThrottledError,
)

if TYPE_CHECKING:
    from heavylift.objects.services.ports import ServiceOrder, ServiceStatus

_ENDPOINT = "storage_transfer_endpoint"
_MOST_TOLD = 300


class StorageTransferService:
    """Drives transfer jobs of one project; a :class:`heavylift.objects.services.ports.TransferService`.

    Connecting waits until the first call. Requests are tried again as often as the connection's
    ``num_retries`` says.

    :param conn_id: a ``google_cloud_platform`` connection. Its extra field
        ``storage_transfer_endpoint`` names another address of the service, such as a private one.
    :param project: the project that owns the jobs; by default the connection's.
    """

    name = "storage-transfer-service"

    def __init__(self, conn_id: str, project: str | None = None) -> None:
        self._conn_id = conn_id
        self._project = project
        self._made: Any = None

    def start(self, order: ServiceOrder) -> str:
        """Create the job or find it, and return its operation: the one under way, else a new one.

        :raises HeavyliftError: the service refuses, or cannot be reached.
        """
        from heavylift.objects.services.storage_transfer import job_body

        with self._translated(f"starting transfer job {order.name}"):
            hook, project = self._hook(), self._owner()
            job = hook.create_transfer_job(body=job_body(order, project))
            job = hook.get_transfer_job(job_name=job["name"], project_id=project)
            latest = job.get("latestOperationName")
            if latest and latest not in order.settled:
                return str(latest)
            return str(hook.run_transfer_job(job_name=job["name"], project_id=project)["name"])

    def look(self, handle: str) -> ServiceStatus:
        """Return how far the operation has come."""
        from heavylift.objects.services.storage_transfer import status_of

        with self._translated(f"looking at {handle}"):
            return status_of(self._hook().get_transfer_operation(operation_name=handle))

    def cancel(self, handle: str) -> None:
        """Cancel the operation; what it has copied stays on the target."""
        with self._translated(f"cancelling {handle}"):
            self._hook().cancel_transfer_operation(operation_name=handle)

    def tidy(self, name: str) -> None:
        """Delete the job, with the credentials that it holds."""
        from heavylift.objects.services.storage_transfer import job_name

        with suppress(NotFoundError), self._translated(f"deleting transfer job {name}"):
            self._hook().delete_transfer_job(job_name=job_name(name), project_id=self._owner())

    def _owner(self) -> str:
        project = self._project or self._hook().project_id
        if project:
            return str(project)
        raise SpecError(
            "starting a transfer job",
            got="no project",
            expected=f"service.project in the spec, or project in connection {self._conn_id!r}",
            state="nothing was started",
            remedy="name the Google project that owns the job",
            code="8510",
        )

    def _hook(self) -> Any:
        if self._made is None:
            self._made = _provider_hook(self._conn_id)
        return self._made

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Raise the provider's errors as Heavylift's. Requests hold keys, so only reasons are told."""
        from airflow.providers.google.common.hooks.base_google import (  # type: ignore[attr-defined]
            HttpError,
            RefreshError,
        )

        try:
            yield
        except HttpError as error:
            raise _refused(what, int(error.resp.status), str(error.reason)) from None
        except RefreshError:
            raise _no_token(what, self._conn_id) from None
        except OSError as error:
            raise _unreachable(what, error) from error


def _provider_hook(conn_id: str) -> Any:
    from airflow.providers.google.cloud.hooks.cloud_storage_transfer_service import (
        CloudDataTransferServiceHook,
    )

    class Hook(CloudDataTransferServiceHook):
        """The provider's hook, at the address that the connection names."""

        def get_client_options(self, api_endpoint_override: str | None = None) -> Any:
            """Return the client's options with the connection's own address, if it has one."""
            own = self.extras.get(_ENDPOINT) or api_endpoint_override
            return super().get_client_options(api_endpoint_override=own)

    return Hook(gcp_conn_id=conn_id)


def _refused(what: str, status: int, reason: str) -> HeavyliftError:
    kinds: dict[int, tuple[type[HeavyliftError], str]] = {
        401: (CredentialError, "check the connection's key"),
        403: (CredentialError, "grant the roles that docs/reference/transfer-services.md lists"),
        404: (NotFoundError, "check project, bucket and job"),
        429: (ThrottledError, "wait: the request is made again"),
    }
    unavailable = (ServerUnavailableError, "wait: the request is made again")
    permanent = (PermanentError, "correct what the service names, then clear this task")
    kind, remedy = kinds.get(status, unavailable if status >= 500 else permanent)
    return kind(
        what,
        got=f"HTTP {status}: {reason[:_MOST_TOLD]}",
        expected="an answer of Storage Transfer Service",
        state="what the service has copied stays; nothing is proved yet",
        remedy=remedy,
        code="8511",
    )


def _no_token(what: str, conn_id: str) -> CredentialError:
    return CredentialError(
        what,
        got="no access token",
        expected=f"a token for connection {conn_id!r}",
        state="nothing was started by this attempt",
        remedy="check the connection's key, federation or default credentials",
        code="8512",
    )


def _unreachable(what: str, error: OSError) -> ServerUnavailableError:
    return ServerUnavailableError(
        what,
        got=f"{type(error).__name__}",
        expected="an answer of Storage Transfer Service",
        state="a run that is under way goes on by itself",
        remedy="check that storagetransfer.googleapis.com is reachable from here",
        code="8513",
    )
