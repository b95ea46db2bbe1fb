"""What the planes of single servers share: named listings, a cap on questions, a permission for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import CredentialError
from heavylift.platforms.control import Account, Answer, Limits, denied, stopped
from heavylift.platforms.request_rate import RequestRate

_PAGE = 1000

Listing = Callable[[str, Answer], Iterator[Answer]]
"""(region, arguments) → pages."""


@dataclass(frozen=True)
class Question:
    """One thing that can be asked.

    :param permission: what it needs, for a finding.
    """

    pages: Listing
    permission: str


class Turns:
    """Counts questions, holds them to a rate, and refuses all once it is told to stop."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.count = 0
        self._rate = RequestRate(self.limits.most_requests_per_second)
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for the next turn.

        :raises UnsupportedError: there is none any more.
        """
        with self._lock:
            self.count += 1
            seconds = self._rate.delay()
        stop = self.limits.stop
        if stop.wait(seconds) if seconds else stop.is_set():
            raise stopped()


class NativePlane:
    """A server as a control plane: its listings have names, its regions are its parts.

    :param account: names the server in ids.
    """

    def __init__(self, limits: Limits | None, account: Account, questions: Mapping[str, Question]) -> None:
        self._turns, self._account, self._questions = Turns(limits), account, questions

    @property
    def requests(self) -> int:
        """Questions asked up to now."""
        return self._turns.count

    def account(self) -> Account:
        """Return the server."""
        return self._account

    def regions(self) -> list[str]:
        """Return the parts of the server that are read one by one."""
        return ["server"]

    def offers(self, service: str, region: str) -> bool:
        """Tell that all parts are alike."""
        return bool(service and region)

    def permission(self, service: str, operation: str) -> str:
        """Return what a question needs."""
        del service
        return self._questions[operation].permission

    def close(self) -> None:
        """Close what is open."""

    @contextmanager
    def asking(self, what: str, operation: str) -> Iterator[None]:
        """Tell a refusal within the block as the permission that ``operation`` lacks."""
        try:
            yield
        except CredentialError as error:
            raise denied(what, error.got, self._questions[operation].permission) from error

    def call(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        """Return the first page of an answer; empty where there is none."""
        first: dict[str, Any] = {}
        return next(self.pages(service, operation, region, arguments), first)

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        """Yield all pages of a question."""
        del service, last_token
        self._turns.take()
        yield from self._questions[operation].pages(region, arguments)


def paged(rows: list[dict[str, Any]]) -> Iterator[Answer]:
    """Yield rows in pages."""
    for start in range(0, len(rows), _PAGE):
        yield {"rows": rows[start : start + _PAGE]}


def known_hosts(connection: Connection, host: str, port: int, *others: str) -> list[str]:
    """Return the names under which a server is called: its own, and those of the extra field ``aliases``.

    :param others: further names, with their ports or without.
    """
    more = connection.extra.get("aliases")
    names = more if isinstance(more, list) else str(more or "").split(",")
    found = [host, *others, *(str(name).strip() for name in names)]
    return [f"host:{name.lower()}" + ("" if ":" in name else f":{port}") for name in found if name]
