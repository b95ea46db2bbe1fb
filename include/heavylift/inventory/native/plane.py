"""What the planes of single servers share: named listings, a cap on questions, a permission for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import UnsupportedError
from heavylift.platforms.control import Account, Answer
from heavylift.platforms.request_rate import RequestRate

Listing = Callable[[str, Answer], Iterator[Answer]]
"""(region, arguments) → pages."""


@dataclass(frozen=True)
class Question:
    """One thing that can be asked.

    :param permission: what it needs, for a finding.
    """

    pages: Listing
    permission: str


@dataclass
class Turns:
    """Counts questions, holds them to a rate, and refuses all once it is told to stop."""

    per_second: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    count: int = 0

    def __post_init__(self) -> None:
        self._rate = RequestRate(self.per_second)
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for the next turn.

        :raises UnsupportedError: there is none any more.
        """
        with self._lock:
            self.count += 1
            seconds = self._rate.delay()
        if self.stop.wait(seconds) if seconds else self.stop.is_set():
            raise UnsupportedError(
                "reading the inventory",
                got="a request to stop",
                expected="time to go on",
                state="what was read is kept",
                remedy="run the same command again; it goes on with what was not read",
                code="7665",
            )


class NativePlane:
    """A server as a control plane: its listings have names, its regions are its parts.

    :param account: names the server in ids.
    """

    def __init__(self, turns: Turns, account: Account, questions: Mapping[str, Question]) -> None:
        self._turns, self._account, self._questions = turns, account, questions

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


def known_hosts(host: str, port: int, more: Any) -> list[str]:
    """Return the names under which a server is called: its own, and those of the extra field ``aliases``."""
    names = more if isinstance(more, list) else str(more or "").split(",")
    found = [host, *(str(name).strip() for name in names)]
    return [f"host:{name.lower()}" + ("" if ":" in name else f":{port}") for name in found if name]
