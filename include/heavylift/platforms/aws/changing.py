"""AWS's control plane where something is to be changed: few operations, each named, none repeated blindly."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from heavylift.connections import Connection
from heavylift.errors import UnsupportedError
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.control import Answer, Limits


class AwsChanges(AwsControlPlane):
    """Sends the operations that its user names, and no others, as the identity of a plane that reads.

    A request that gets no answer is not sent again here: whether it was carried out only its sender can
    find out.

    :param reads: whose session it shares, so that a service's model is read once.
    :param allowed: names of operations.
    """

    def __init__(
        self,
        connection: Connection,
        reads: AwsControlPlane,
        allowed: AbstractSet[str],
        limits: Limits | None = None,
    ) -> None:
        super().__init__(connection, limits, session=reads.session)
        self._allowed = allowed
        self._tries = 1

    def change(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        """Return the answer of one call that changes something."""
        if operation not in self._allowed:
            raise UnsupportedError(
                f"{service} {operation}",
                got="an operation that was not asked for",
                expected=f"one of {', '.join(sorted(self._allowed))}",
                state="nothing was touched",
                remedy="report it as a defect of Heavylift",
                code="7614",
            )
        return self._asked(service, operation, region, arguments)
