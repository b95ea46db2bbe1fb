"""What an MLflow tracking server holds: experiments, registered models and their versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from heavylift.connections import http_address, http_authorisation
from heavylift.errors import ConnectionConfigError
from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.native.fields import LINKS, link
from heavylift.inventory.native.plane import known_hosts
from heavylift.inventory.rows import Row
from heavylift.platforms.control import Account, Answer, Limits
from heavylift.platforms.http_message import split_url
from heavylift.platforms.rest_control import Headers, OverRest, Paging, RestPlane
from heavylift.platforms.rest_faults import Reading, Told
from heavylift.platforms.tokens import may_carry_tokens

if TYPE_CHECKING:
    from heavylift.connections import Connection

_API = "api/2.0/mlflow"
_HOME = "mlflow://{account}"
_TAGS = "tags"
_MOST = 1000

ROWS = (
    Row(
        "mlflow", "MLflow::Server", Kind.EXPERIMENT_STORE, "server", "rows", _HOME, "name", is_global=True,
        aliases=("[hosts]",),
    ),
    Row(
        "mlflow", "MLflow::Experiment", Kind.EXPERIMENT_STORE, f"GET {_API}/experiments/search",
        "experiments",
        _HOME + "/experiments/{experiment_id}", "name", is_global=True,
        arguments={"max_results": _MOST, "view_type": "ALL"}, created="creation_time",
        last_used="last_update_time", status="lifecycle_stage", keep_tags=_TAGS,
    ),
    Row(
        "mlflow", "MLflow::RegisteredModel", Kind.MODEL_REGISTRY, f"GET {_API}/registered-models/search",
        "registered_models", _HOME + "/models/{name}", "name", is_global=True,
        arguments={"max_results": _MOST}, created="creation_timestamp", last_used="last_updated_timestamp",
        keep_tags=_TAGS, aliases=("models:/{name}",),
    ),
    Row(
        "mlflow", "MLflow::ModelVersion", Kind.MODEL, f"GET {_API}/model-versions/search", "model_versions",
        _HOME + "/models/{name}/{version}", "join(' ', [name, version])", is_global=True,
        arguments={"max_results": _MOST}, created="creation_timestamp", last_used="last_updated_timestamp",
        status="status", keep_tags=_TAGS,
    ),
)  # fmt: skip
"""Every type of MLflow that is read; runs are the experiments' own business (the phase ``registry``)."""


class MlflowPlane(OverRest):
    """Reads one tracking server through its public interface."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
    ) -> None:
        url, headers = http_address(connection), http_authorisation(connection)
        if not url or connection.conn_type not in ("mlflow", "http", "https"):
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for MLflow",
                got=f"the type {connection.conn_type!r}" + ("" if url else " and no host"),
                expected="the type mlflow (or http), and the server's URL in the field host",
                state="nothing was touched",
                remedy=f"complete the connection {connection.conn_id!r}",
                code="7680",
            )
        if headers and not may_carry_tokens(url):
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for MLflow",
                got=f"credentials for {url}",
                expected="https://, where credentials are sent",
                state="nothing was touched",
                remedy=f"correct the host of connection {connection.conn_id!r}",
                code="7681",
            )
        origin, _ = split_url(url)
        self._account = Account(f"{origin.host}:{origin.port}", "mlflow")
        self._home = f"mlflow://{self._account.id}"
        self._hosts = known_hosts(connection, origin.host, origin.port)

        async def authorisation() -> Headers:
            return headers

        rest = RestPlane(
            lambda _service, _region: url,
            authorisation,
            Paging("page_token", "next_page_token"),
            Reading(told=_told, permission=_permission, absent=False),
            limits=limits,
        )
        super().__init__(rest)

    def account(self) -> Account:
        """Return the server, once it has answered."""
        self.call("mlflow", f"GET {_API}/experiments/search", "", {"max_results": 1})
        return self._account

    def regions(self) -> list[str]:
        """Return the server itself: it has no parts."""
        return ["server"]

    def permission(self, service: str, operation: str) -> str:
        """Return what a request needs."""
        del service
        return _permission(operation)

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        """Yield all pages of a search, each entry with what it belongs to."""
        del last_token
        if operation == "server":
            yield {"rows": [{"name": self._account.id, "hosts": self._hosts}]}
            return
        for page in self._rest.pages(service, operation, region, arguments):
            yield {name: self._joined(name, value) for name, value in page.items()}

    def _joined(self, name: str, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{**each, LINKS: self._links(name, each)} for each in value if isinstance(each, Mapping)]

    def _links(self, kind: str, each: Mapping[str, Any]) -> list[dict[str, str]]:
        if kind != "model_versions":
            return [link("server", self._home, "belongs_to")]
        return [link("name", f"{self._home}/models/{each.get('name')}", "belongs_to")]


def _permission(operation: str) -> str:
    return f"READ on {operation.partition('mlflow/')[2].partition('/')[0] or operation}"


def _told(answer: Mapping[str, Any]) -> Told:
    return str(answer.get("error_code") or ""), str(answer.get("message") or "")
