"""AWS's control plane through botocore's own clients: read calls, limited in rate, safe in threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, CredentialError, HeavyliftError, UnsupportedError
from heavylift.platforms.aws.control_faults import refusal, unreachable
from heavylift.platforms.aws.credentials import find_credentials
from heavylift.platforms.aws.settings import endpoint_setting, region_of
from heavylift.platforms.control import Account, Answer, Limits, stopped
from heavylift.platforms.request_rate import RequestRate

_READS = ("List", "Describe", "Get", "BatchGet", "Search")
_ATTEMPTS = 6
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
# Of a service's own name for its permissions only where that is not the one its requests are signed with.
_PREFIXES = {
    "stepfunctions": "states",
    "efs": "elasticfilesystem",
    "firehose": "firehose",
    "cloudwatch": "cloudwatch",
}
_TOKENS = ("NextToken", "nextToken", "Marker", "NextMarker")


class AwsControlPlane:
    """Reads one account through one connection; its botocore clients are made once per service and region.

    :param session: of another plane of this connection; None makes one.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
        *,
        session: Any = None,
    ) -> None:
        if connection.conn_type != "aws":
            raise ConnectionConfigError(
                f"reading connection {connection.conn_id!r}",
                got=f"type {connection.conn_type!r}",
                expected="type 'aws'",
                state="nothing was touched",
                remedy="name a connection of type aws",
                code="7609",
            )
        import botocore.session

        self._connection = connection
        self._limits = limits or Limits()
        self._rate = RequestRate(self._limits.most_requests_per_second)
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._requests = 0
        self._tries = _attempts(connection)
        self._session = session or botocore.session.Session(profile=connection.text("profile_name"))
        if session is None:
            # The refreshing credentials themselves, so that a long run outlives its first token.
            self._session._credentials = find_credentials(connection)

    @property
    def session(self) -> Any:
        """The botocore session, for another plane of the same connection."""
        return self._session

    @property
    def requests(self) -> int:
        """Requests sent up to now, with those that were repeated."""
        return self._requests

    def account(self) -> Account:
        """Return the account, as STS tells it.

        :raises CredentialError: AWS does not accept the credentials.
        """
        answer = self.call("sts", "GetCallerIdentity", region_of(self._connection), {})
        return Account(str(answer["Account"]), str(answer["Arn"]).split(":")[1])

    def regions(self) -> list[str]:
        """Return the regions that are enabled for the account."""
        answer = self.call("ec2", "DescribeRegions", region_of(self._connection), {})
        return sorted(str(region["RegionName"]) for region in answer["Regions"])

    def offers(self, service: str, region: str) -> bool:
        """Tell whether ``service`` exists in ``region``, as botocore's own table says."""
        partition = self._session.get_partition_for_region(region)
        known = self._session.get_available_regions(service, partition_name=partition)
        return not known or region in known

    def permission(self, service: str, operation: str) -> str:
        """Return the IAM action that ``operation`` needs, where it is called as the operation."""
        return permission_of_operation(service, operation)

    def call(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        """Return the answer of one call; botocore repeats it where that may help."""
        if not operation.startswith(_READS):
            raise UnsupportedError(
                f"{service} {operation}",
                got="an operation that may change something",
                expected=f"one whose name begins with {', '.join(_READS)}",
                state="nothing was touched",
                remedy="report it as a defect of Heavylift",
                code="7610",
            )
        return self._asked(service, operation, region, arguments)

    def _asked(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        what = f"{service}:{operation} in {region}"
        try:
            client = self._client(service, region)
            answer: dict[str, Any] = getattr(client, xform_name(operation))(**arguments)
        except ClientError as error:
            raise refusal(what, error.response, self.permission(service, operation)) from None
        except BotoCoreError as error:
            raise _local(what, error) from None
        answer.pop("ResponseMetadata", None)
        return answer

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        """Yield all pages; the tokens are those that the service's model names."""
        given, wanted = self._tokens(service, operation)
        asked = dict(arguments)
        while True:
            answer = self.call(service, operation, region, asked)
            yield answer
            token = next((answer[name] for name in wanted if answer.get(name)), None)
            if last_token:
                names = next((value for value in answer.values() if isinstance(value, list)), [])
                given, token = last_token, names[-1] if names and _has_more(answer) else None
            if not token or not given or token == asked.get(given):
                return
            asked[given] = token

    def close(self) -> None:
        """Do nothing: botocore closes its connections by itself."""

    def _tokens(self, service: str, operation: str) -> tuple[str, tuple[str, ...]]:
        """Return in which parameter the next page is asked for, and which fields of an answer may name it."""
        client = self._client(service, self._any_region(service))
        from botocore import xform_name

        if client.can_paginate(xform_name(operation)):
            pages = client.get_paginator(xform_name(operation))
            config = pages._pagination_cfg
            given, wanted = config["input_token"], config["output_token"]
            given = given[0] if isinstance(given, list) else given
            wanted = wanted if isinstance(wanted, list) else [wanted]
            return given, tuple(part.strip() for name in wanted for part in name.split("||"))
        model = self._session.get_service_model(service).operation_model(operation)
        inputs = model.input_shape.members if model.input_shape else {}
        outputs = model.output_shape.members if model.output_shape else {}
        given = next((name for name in _TOKENS if name in inputs), "")
        return given, tuple(name for name in _TOKENS if name in outputs)

    def _any_region(self, service: str) -> str:
        with self._lock:
            return next((region for name, region in self._clients if name == service), "") or region_of(
                self._connection
            )

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                client = self._clients[service, region] = self._made(service, region)
            return client

    def _made(self, service: str, region: str) -> Any:
        from botocore.config import Config

        client = self._session.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint_setting(self._connection, service),
            verify=self._connection.extra.get("verify"),
            config=Config(
                retries={"mode": "standard", "total_max_attempts": self._tries},
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                max_pool_connections=2 * self._limits.parallel,  # listings go beside the descriptions
            ),
        )
        # Before each request that goes out, those that botocore repeats included.
        client.meta.events.register("before-send.*", self._before_send)
        return client

    def _before_send(self, **_: Any) -> None:
        with self._lock:
            self._requests += 1
            seconds = self._rate.delay()
        stop = self._limits.stop
        if stop.wait(seconds) if seconds else stop.is_set():
            raise stopped()


def _attempts(connection: Connection) -> int:
    """Return ``config_kwargs.retries.max_attempts``, botocore's own setting, or what suits most."""
    kwargs = connection.extra.get("config_kwargs")
    retries = kwargs.get("retries") if isinstance(kwargs, Mapping) else None
    given = retries.get("max_attempts") if isinstance(retries, Mapping) else None
    return 1 + int(given) if isinstance(given, int) else _ATTEMPTS


def permission_of_operation(service: str, operation: str) -> str:
    """Return the IAM action of ``operation``; reads botocore's model, and needs no credentials."""
    return f"{_PREFIXES.get(service) or _signing_name(service)}:{operation}"


@cache
def _signing_name(service: str) -> str:
    import botocore.session

    # Only the name is kept: the models of thirty services take gigabytes.
    return str(botocore.session.get_session().get_service_model(service).signing_name)


def _has_more(answer: Answer) -> bool:
    return any(answer.get(name) for name in ("HasMoreDeliveryStreams", "HasMoreStreams", "IsTruncated"))


def _local(what: str, error: Exception) -> HeavyliftError:
    from botocore.exceptions import ConnectionError, HTTPClientError, NoCredentialsError

    if isinstance(error, NoCredentialsError):
        return CredentialError(
            what,
            got="no credentials",
            expected="an access key, a profile or a role",
            state="nothing was touched",
            remedy="set login and password of the connection, or extra.profile_name or extra.role_arn",
            code="7612",
        )
    if isinstance(error, ConnectionError | HTTPClientError):
        return unreachable(what, error)
    return UnsupportedError(
        what,
        got=f"{type(error).__name__} from botocore",
        expected="a call that its model allows",
        state="nothing was changed",
        remedy="report it as a defect of Heavylift",
        code="7613",
    )
