"""A cluster's objects through the plain REST API; values of secrets never leave the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import HeavyliftError, ServerUnavailableError
from heavylift.platforms.control import Account, Answer, Limits
from heavylift.platforms.kubernetes.kubeconfig import Access, access, cluster_name
from heavylift.platforms.kubernetes.objects import shown
from heavylift.platforms.rest_control import Headers, OverRest, Paging, RestPlane
from heavylift.platforms.rest_faults import EXPIRED, Reading, Told

PAGE = 500
_BEGINNINGS = 5
WHOLE = "cluster"
"""What stands for the region where all namespaces are read at once."""
_NAMES_ALONE = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class KubernetesControlPlane(OverRest):
    """Reads one cluster.

    :param namespaces: only these; what belongs to no namespace is read in any case.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
        *,
        namespaces: tuple[str, ...] = (),
    ) -> None:
        found = access(connection)
        self._name = cluster_name(connection, found.url)
        self._namespaces = namespaces

        async def authorisation() -> Headers:
            return found.authorisation()

        rest = RestPlane(
            lambda _service, _region: found.url,
            authorisation,
            Paging("continue", "metadata.continue"),
            Reading(told=told_by, permission=permission_of),
            limits=limits,
            tls=found.tls,
        )
        super().__init__(rest)
        self.access: Access = found

    def account(self) -> Account:
        """Return the cluster; its version is asked, so that credentials that are refused show at once."""
        self._rest.call("", "GET /version", "", {})
        return Account(self._name, "kubernetes")

    def regions(self) -> list[str]:
        """Return the namespaces that are read, or one word for all of them."""
        return sorted(self._namespaces) or [WHOLE]

    def permission(self, service: str, operation: str) -> str:
        """Return the verb and resource that a role must allow."""
        del service
        return permission_of(operation)

    def call(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        """Return one object, or what else answers."""
        answer = self._rest.call(service, self._scoped(operation, region), region, arguments)
        return shown(answer, secret="/secrets/" in operation)

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        """Yield all pages of a listing; one whose token has expired is listed again, each object once."""
        del last_token
        told: set[str] = set()
        for beginning in range(_BEGINNINGS):
            try:
                for page in self._once(service, operation, region, arguments):
                    items = [each for each in page["items"] if _uid(each) not in told]
                    told.update(_uid(each) for each in items)
                    yield {**page, "items": items}
            except HeavyliftError as error:
                if error.code != EXPIRED or beginning == _BEGINNINGS - 1:
                    raise _too_slow(operation) if error.code == EXPIRED else error from None
            else:
                return

    def _once(self, service: str, operation: str, region: str, arguments: Answer) -> Iterator[dict[str, Any]]:
        secret = operation.endswith("/secrets")
        headers = {"Accept": _NAMES_ALONE} if secret else None
        asked = {"limit": PAGE, **arguments}
        for page in self._rest.pages(service, self._scoped(operation, region), region, asked, headers):
            yield {**page, "items": [shown(item, secret=secret) for item in page.get("items") or ()]}

    def _scoped(self, operation: str, region: str) -> str:
        """Return the operation for one namespace, or for all."""
        return operation.replace("{scope}/", "" if region == WHOLE else f"namespaces/{region}/")


def permission_of(operation: str) -> str:
    """Return what a role must allow: ``list deployments.apps``."""
    path = operation.partition(" ")[2].partition("?")[0].strip("/").split("/")
    if len(path) < 3:
        return f"get /{'/'.join(path)}"
    group = path[1] if path[0] == "apis" else ""
    return f"list {path[-1]}" + (f".{group}" if group else "")


def told_by(answer: Mapping[str, Any]) -> Told:
    """Return reason and message of an error answer of Kubernetes'."""
    return str(answer.get("reason") or ""), str(answer.get("message") or "")


def _uid(item: Mapping[str, Any]) -> str:
    return str(item.get("uid") or f"{item.get('namespace')}/{item.get('name')}")


def _too_slow(operation: str) -> HeavyliftError:
    return ServerUnavailableError(
        operation,
        got=f"a listing that expired {_BEGINNINGS} times before its end",
        expected="all pages while the server still keeps them",
        state="what was read is kept",
        remedy="run the same command again at a quieter time, or raise --max-requests",
        code="7664",
    )
