"""Sends changes to SageMaker: no more at once than it bears, and nothing made twice."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from heavylift.errors import (
    AlreadyExistsError,
    NoRoomError,
    NotFoundError,
    PermanentError,
    ServerUnavailableError,
)
from heavylift.platforms.limiter import AdaptiveLimit
from heavylift.platforms.overload import asks_for_less
from heavylift.registry.catalogues.experiments.reading import Service, Shape
from heavylift.registry.interface.server import again

_EXISTS = re.compile(r"already exist|must be unique|AlreadyExists", re.IGNORECASE)
_CONFLICT, _FULL = "ConflictException", "ResourceLimitExceeded"


class ChangingService(Service, Protocol):
    """The calls of one region, those that change something too."""

    async def change(self, operation: str, arguments: Shape, service: str = "sagemaker") -> Shape:
        """Return the answer of one call, which is sent once."""
        ...

    async def account_arn(self) -> str:
        """Return how ARNs of the account's things in this region begin."""
        ...


@dataclass
class Changes:
    """What is sent to one region.

    :param writes: False makes it count what would be sent, and send nothing.
    """

    service: ChangingService
    parallel: int
    writes: bool
    sent: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._limit = AdaptiveLimit(self.parallel, start=min(4, self.parallel))

    async def put(self, operation: str, arguments: Shape, service: str = "sagemaker") -> Shape:
        """Send what may be carried out twice without harm; until there is an answer."""
        self.sent[operation] += 1
        if not self.writes:
            return {}
        return await again(lambda: self._once(operation, arguments, service))

    async def make(
        self, operation: str, arguments: Shape, is_ours: Callable[[], Awaitable[bool]]
    ) -> Shape | None:
        """Make something once; return the answer, and None where it was there already.

        A request without an answer is sent again: the name is the thing's own, so it is made once or
        refused as taken, and what is there then tells by its marks whose it is.

        :raises AlreadyExistsError: somebody else's thing has the name.
        :raises NoRoomError: the account may have no more of them.
        """
        self.sent[operation] += 1
        if not self.writes:
            return {}
        try:
            return await again(lambda: self._once(operation, arguments, "sagemaker"))
        except PermanentError as error:
            if _FULL in error.got:
                raise _no_room(operation, error) from None
            if isinstance(error, NotFoundError) or not _EXISTS.search(error.got):
                raise
            if not await is_ours():
                raise taken(operation, _name(arguments)) from None
            return None

    async def tag(self, arn: str, tags: Mapping[str, str], gone: list[str]) -> None:
        """Put tags, and take others away."""
        if gone:
            await self.put("DeleteTags", {"ResourceArn": arn, "TagKeys": gone})
        if tags:
            await self.put("AddTags", {"ResourceArn": arn, "Tags": listed_tags(tags)})

    async def _once(self, operation: str, arguments: Shape, service: str) -> Shape:
        await self._limit.enter()
        try:
            answer = await self.service.change(operation, arguments, service)
        except asyncio.CancelledError:
            self._limit.leave_unjudged()
            raise
        except PermanentError as error:
            self._limit.leave()
            if error.got.startswith(_CONFLICT):
                raise _busy(operation, error) from None
            raise
        except BaseException as error:
            self._limit.leave(asks_for_less(error))
            raise
        self._limit.leave()
        return answer


def listed_tags(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return tags as SageMaker lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _name(arguments: Shape) -> str:
    return next((str(value) for key, value in arguments.items() if key.endswith("Name")), "")


def taken(operation: str, name: str) -> AlreadyExistsError:
    """Return the error of a name that somebody else's thing has on the target."""
    return AlreadyExistsError(
        f"{operation} {name!r}",
        got="another thing of that name, which this migration did not make",
        expected="a free name",
        state="the other one was not touched; this one was not moved",
        remedy="remove the other one, or move under another registry name",
        code="9614",
    )


def _no_room(operation: str, error: PermanentError) -> NoRoomError:
    return NoRoomError(
        f"sagemaker:{operation}",
        got=error.got,
        expected="room for one more in the account",
        state="what was made stays, and another run goes on from there",
        remedy="ask AWS for a higher quota of SageMaker's experiments, then run the same command again",
        code="9615",
    )


def _busy(operation: str, error: PermanentError) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"sagemaker:{operation}",
        got=error.got,
        expected="that nobody else changes the thing at this moment",
        state="nothing was changed by this request",
        remedy="run the same command again",
        code="9616",
    )
