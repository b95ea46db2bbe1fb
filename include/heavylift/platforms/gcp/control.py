"""A project's resources through Google's REST APIs, as their discovery documents describe them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import (
    ConnectionConfigError,
    CredentialError,
    ServerUnavailableError,
    UnsupportedError,
)
from heavylift.platforms.control import Account, Answer, Limits
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher, unencrypted
from heavylift.platforms.rest_control import Headers, OverRest, Paging, RestPlane
from heavylift.platforms.rest_faults import Reading, Told
from heavylift.platforms.tokens import TokenCache, may_carry_tokens

SCOPES = ("https://www.googleapis.com/auth/cloud-platform.read-only",)
_OFF = frozenset({"SERVICE_DISABLED", "accessNotConfigured", "API_DISABLED"})
_SLOW = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "quotaExceeded"})
_PARTLY = ("unreachable", "unreachables", "missingZones", "failedLocation")
_REGIONAL = frozenset({"aiplatform"})
_PROJECT = "GET v3/projects/{project}"
_REGIONS = "GET compute/v1/projects/{project}/regions"
_VERTEX = "GET v1/projects/{project}/locations"
OWN = {
    _PROJECT: "resourcemanager.projects.get",
    _REGIONS: "compute.regions.list",
    _VERTEX: "aiplatform.locations.list",
}
"""What the plane itself asks, and the permission for it."""
_PATH = re.compile(r"/(projects/.+)$")


class GoogleControlPlane(OverRest):
    """Reads one project.

    :param connection: the extra field ``project`` names the project; ``endpoint_url`` replaces Google's
        addresses (with the service's name before the path), for private endpoints and emulators.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
    ) -> None:
        self._project = project_of(connection)
        self._endpoint = (connection.text("endpoint_url") or "").rstrip("/")
        tokens = None if is_anonymous(connection) else TokenCache(token_fetcher(connection, SCOPES))
        if tokens is not None and self._endpoint and not may_carry_tokens(self._endpoint):
            raise unencrypted(connection, self._endpoint)

        async def authorisation() -> Headers:
            return {"Authorization": f"Bearer {(await tokens.get()).value}"} if tokens else {}

        self._number = ""
        self._vertex: frozenset[str] | None = None
        rest = RestPlane(
            self._address,
            authorisation,
            Paging("pageToken", "nextPageToken"),
            Reading(told=told_by, permission=lambda what: OWN.get(what, what), off=_OFF, slow=_SLOW),
            fixed={"project": self._project},
            limits=limits,
        )
        super().__init__(rest)

    def account(self) -> Account:
        """Return the project; its number is noted, for some answers write it instead of the name.

        :raises CredentialError: Google does not accept the credentials.
        """
        try:
            found = self._rest.call("cloudresourcemanager", _PROJECT, "", {})
            self._number = str(found.get("name") or "").rpartition("/")[2]
        except UnsupportedError:
            self._number = ""
        return Account(self._project, "gcp")

    def regions(self) -> list[str]:
        """Return the regions of Compute Engine; where that is off, those of Vertex AI."""
        try:
            pages = self._rest.pages("compute", _REGIONS, "", {})
            return sorted(str(each["name"]) for page in pages for each in page.get("items") or ())
        except UnsupportedError:
            return sorted(self._with_vertex())

    def _with_vertex(self) -> frozenset[str]:
        if self._vertex is None:
            pages = self._rest.pages("aiplatform", _VERTEX, "", {})
            self._vertex = frozenset(
                str(each["locationId"]) for page in pages for each in page.get("locations") or ()
            )
        return self._vertex

    def offers(self, service: str, region: str) -> bool:
        """Tell whether a service that has an address in each region has one there."""
        if service not in _REGIONAL:
            return True
        try:
            known = self._with_vertex()
        except (UnsupportedError, CredentialError):
            return True  # the listings themselves will tell
        return not known or region in known

    def permission(self, service: str, operation: str) -> str:
        """Return what to grant where a row does not name its permission."""
        return f"{service}.{operation.rpartition('/')[2].rpartition(':')[2]}.list"

    def call(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        """Return the answer of one call."""
        found: dict[str, Any] = self._named(self._rest.call(service, operation, region, arguments))
        return found

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        """Yield all pages; what an answer says it could not look at is an error after its last page."""
        del last_token
        lacking: list[str] = []
        for page in self._rest.pages(service, operation, region, arguments):
            lacking += [str(each) for name in _PARTLY for each in page.get(name) or ()]
            yield self._named(page)
        if lacking:
            raise ServerUnavailableError(
                operation,
                got=f"an answer that says it lacks {', '.join(sorted(set(lacking))[:5])}",
                expected="all of it",
                state="what it has is kept",
                remedy="run the inventory again later",
                code="7666",
            )

    def _address(self, service: str, region: str) -> str:
        if self._endpoint:
            # An emulator of one service knows no others.
            return self._endpoint if service == "storage" else f"{self._endpoint}/{service}"
        if service in _REGIONAL and region:
            return f"https://{region}-{service}.googleapis.com"
        return f"https://{service}.googleapis.com"

    def _named(self, value: Any) -> Any:
        return named(value, self._project, self._number)


def named(value: Any, project: str, number: str) -> Any:
    """Return an answer in which the project is always called by its name, and links tell their path."""
    if isinstance(value, str):
        return value.replace(f"projects/{number}/", f"projects/{project}/") if number else value
    if isinstance(value, list):
        return [named(each, project, number) for each in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: named(each, project, number) for key, each in value.items()}
    link = _PATH.search(str(found.get("selfLink") or ""))
    found |= {"path": link[1]} if link else {}
    name = found.get("name")
    return {**found, "_short": name.rpartition("/")[2]} if isinstance(name, str) and "/" in name else found


def project_of(connection: Connection) -> str:
    """Return the project that a connection names.

    :raises ConnectionConfigError: it names none, or is of another type.
    """
    project = connection.text("project") or connection.text("extra__google_cloud_platform__project")
    if connection.conn_type not in ("google_cloud_platform", "gcpbigquery") or not project:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for Google Cloud",
            got=f"the type {connection.conn_type!r}" + ("" if project else " and no project"),
            expected="the type google_cloud_platform, and the extra field project",
            state="nothing was touched",
            remedy=f"complete connection {connection.conn_id!r}",
            code="7684",
        )
    return project


def told_by(answer: Mapping[str, Any]) -> Told:
    """Return reason and message of an error answer of Google's."""
    error = answer.get("error")
    if not isinstance(error, Mapping):
        return "", ""
    reasons = [
        str(each.get("reason"))
        for name in ("details", "errors")
        for each in error.get(name) or ()
        if isinstance(each, Mapping) and each.get("reason")
    ]
    known = [reason for reason in reasons if reason in _OFF | _SLOW]
    reason = (known or reasons or [str(error.get("status") or "")])[0]
    return reason, str(error.get("message") or "")
