"""A platform's control plane: what tells what there is. Only calls that change nothing go through it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from heavylift.errors import CredentialError, UnsupportedError

Answer = Mapping[str, Any]
"""What a call answers, by the names of the platform's API."""


@dataclass(frozen=True)
class Account:
    """Who is asked.

    :param id: the account, subscription or project.
    :param partition: part of the platform that its ids name, such as ``aws-cn``.
    """

    id: str
    partition: str = "aws"


@dataclass(frozen=True)
class Limits:
    """How a plane may ask.

    :param most_requests_per_second: over all threads, repeated requests included; None means no cap.
    :param parallel: requests at once.
    :param stop: set it to have every further request refused, so that threads leave soon.
    """

    most_requests_per_second: float | None = None
    parallel: int = 16
    stop: threading.Event = field(default_factory=threading.Event)


class ControlPlane(Protocol):
    """Reads a platform's API; safe to use from many threads.

    Every method raises

    - ``CredentialError`` with ``code`` :data:`DENIED` where a permission is missing;
    - ``NotFoundError`` where what is asked about is not there;
    - ``UnsupportedError`` where the server does not know the operation;
    - ``TransientError`` where it gave no usable answer after several tries.
    """

    @property
    def requests(self) -> int:
        """Requests sent up to now, with those that were repeated."""
        ...

    def account(self) -> Account:
        """Return who is asked."""
        ...

    def regions(self) -> list[str]:
        """Return the regions that the account may use, sorted."""
        ...

    def offers(self, service: str, region: str) -> bool:
        """Tell whether ``service`` exists in ``region``."""
        ...

    def permission(self, service: str, operation: str) -> str:
        """Return the permission that ``operation`` needs."""
        ...

    def call(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        """Return the answer of one call."""
        ...

    def close(self) -> None:
        """Close what is open; nothing is asked afterwards."""
        ...

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        """Yield all pages of a listing.

        :param last_token: the listing goes on after its last name, given in this parameter.
        """
        ...


DENIED = "7601"
"""The code of the ``CredentialError`` that tells that a permission is missing."""

UNKNOWN_OPERATION = "7604"
"""The code of the ``UnsupportedError`` that tells that the server does not know an operation."""

SERVER_FAULT = "7606"
"""The code of the ``ServerUnavailableError`` of a server that does answer, every time with a fault."""

UNKNOWN_OPERATIONS = frozenset({UNKNOWN_OPERATION, "7652"})
"""All codes of an operation that the server does not know, or has switched off."""

SERVER_FAULTS = frozenset({SERVER_FAULT, "7654", "7666"})
"""All codes of a server that answers every time with a fault."""


def denied(what: str, got: str, permission: str) -> CredentialError:
    """Return the error that tells of a missing permission."""
    return CredentialError(
        what,
        got=got,
        expected=f"the permission {permission}",
        state="nothing was changed",
        remedy=f"grant {permission}",
        code="7601",
    )


def stopped() -> UnsupportedError:
    """Return the error of a request that is not sent any more."""
    return UnsupportedError(
        "reading the inventory",
        got="a request to stop",
        expected="time to go on",
        state="what was read is kept",
        remedy="run the same command again; it goes on with what was not read",
        code="7611",
    )
