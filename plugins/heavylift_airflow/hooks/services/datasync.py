"""AWS DataSync through the Amazon provider's hook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    PermanentError,
    ServerUnavailableError,
    ThrottledError,
)

if TYPE_CHECKING:
    from heavylift.objects.services.ports import ServiceOrder, ServiceStatus

_MOST_TOLD = 300
_CREDENTIALS = frozenset(
    {"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException"}
)
_THROTTLED = frozenset({"ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})
_DOWN = frozenset({"InternalException", "ServiceUnavailable", "InternalFailure"})


class DataSyncService:
    """Drives DataSync tasks; a :class:`heavylift.objects.services.ports.TransferService`.

    Connecting waits until the first call.

    :param conn_id: an ``aws`` connection; its region is the tasks'.
    """

    name = "datasync"

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._made: Any = None

    def start(self, order: ServiceOrder) -> str:
        """Make locations and task or find the task, and return its execution.

        :raises HeavyliftError: the service refuses, or cannot be reached.
        """
        from heavylift.objects.services.datasync import locations, task_arguments

        with self._translated(f"starting DataSync task {order.name}"):
            hook = self._hook()
            task = self._find(order.name)
            if task is None:
                ends = [
                    getattr(hook.get_conn(), call.method)(**call.arguments)["LocationArn"]
                    for call in locations(order)
                ]
                task = hook.create_task(ends[0], ends[1], **task_arguments(order))
            latest = hook.get_current_task_execution_arn(task)
            if latest and latest not in order.settled:
                return str(latest)
            return str(hook.start_task_execution(task))

    def look(self, handle: str) -> ServiceStatus:
        """Return how far the execution has come."""
        from heavylift.objects.services.datasync import status_of

        with self._translated(f"looking at {handle}"):
            return status_of(self._hook().describe_task_execution(handle))

    def cancel(self, handle: str) -> None:
        """Cancel the execution; what it has copied stays on the target."""
        with self._translated(f"cancelling {handle}"):
            self._hook().cancel_task_execution(handle)

    def tidy(self, name: str) -> None:
        """Delete the task and its locations: an account holds few, and locations hold credentials."""
        with self._translated(f"deleting DataSync task {name}"):
            task = self._find(name)
            if task is None:
                return
            described = self._hook().get_task_description(task)
            self._hook().delete_task(task)
            for end in ("SourceLocationArn", "DestinationLocationArn"):
                self._hook().get_conn().delete_location(LocationArn=described[end])

    def _find(self, name: str) -> str | None:
        client = self._hook().get_conn()
        token: dict[str, str] = {}
        while True:
            page = client.list_tasks(**token)
            for task in page["Tasks"]:
                if task.get("Name") == name:
                    return str(task["TaskArn"])
            if not page.get("NextToken"):
                return None
            token = {"NextToken": page["NextToken"]}

    def _hook(self) -> Any:
        if self._made is None:
            from airflow.providers.amazon.aws.hooks.datasync import DataSyncHook

            self._made = DataSyncHook(aws_conn_id=self._conn_id)
        return self._made

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Raise the client's errors as Heavylift's. Requests hold credentials, so only codes are told."""
        # The provider's own view of its client library: nothing else here may import that.
        from airflow.providers.amazon.aws.hooks import base_aws

        exceptions: Any = base_aws.botocore.exceptions  # type: ignore[attr-defined]
        try:
            yield
        except exceptions.ClientError as error:
            raise _refused(what, error.response.get("Error") or {}) from None
        except exceptions.ParamValidationError as error:
            raise _misbuilt(what, error) from None
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError):
            raise _no_key(what, self._conn_id) from None
        except (exceptions.BotoCoreError, OSError) as error:
            raise _unreachable(what, error) from error


def _refused(what: str, error: dict[str, str]) -> HeavyliftError:
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    kind: type[HeavyliftError] = PermanentError
    remedy = "correct what the service names, then clear this task"
    if code in _CREDENTIALS:
        kind, remedy = CredentialError, "grant what docs/reference/transfer-services.md lists"
    elif code in _THROTTLED:
        kind, remedy = ThrottledError, "wait: the request is made again"
    elif code in _DOWN:
        kind, remedy = ServerUnavailableError, "wait: the request is made again"
    return kind(
        what,
        got=f"{code}: {message[:_MOST_TOLD]}",
        expected="an answer of DataSync",
        state="what the service has copied stays; nothing is proved yet",
        remedy=remedy,
        code="8520",
    )


def _misbuilt(what: str, error: Exception) -> PermanentError:
    return PermanentError(
        what,
        got=f"{type(error).__name__}: arguments that DataSync's model does not allow (not shown)",
        expected="names and sizes within DataSync's own rules",
        state="nothing was started",
        remedy="check bucket names, roles and the prefix of the dataset",
        code="8521",
    )


def _no_key(what: str, conn_id: str) -> CredentialError:
    return CredentialError(
        what,
        got="no credentials",
        expected=f"a key, a role or a profile in connection {conn_id!r}",
        state="nothing was started by this attempt",
        remedy="complete the connection",
        code="8522",
    )


def _unreachable(what: str, error: Exception) -> ServerUnavailableError:
    return ServerUnavailableError(
        what,
        got=type(error).__name__,
        expected="an answer of DataSync",
        state="an execution that is under way goes on by itself",
        remedy="check that DataSync's endpoint in the connection's region is reachable from here",
        code="8523",
    )
