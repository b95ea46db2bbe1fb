"""Every error that Heavylift raises on purpose, and what a message must tell.

Tree::

    HeavyliftError
    ├── TransientError          may go away by itself: retried with backoff
    │   ├── ThrottledError          the other side asks for less load (429, 503 SlowDown)
    │   ├── ServerUnavailableError  connection refused or cut, 5xx, time-out
    │   └── WindowClosedError       the spec's time windows say: not now
    └── PermanentError          stays until somebody acts: never retried
        ├── SpecError               the migration spec is wrong
        ├── ConnectionConfigError   a connection is missing or lacks a field
        ├── CredentialError         the other side refuses who we are (401, 403)
        ├── NotFoundError           bucket, object or evidence does not exist
        ├── AlreadyExistsError      a create-only write found something there
        ├── ConflictError           the target holds something Heavylift must not touch
        ├── PreconditionError       the object changed while it was being moved
        ├── IntegrityError          bytes or checksums differ
        ├── UnsupportedError        the platform or this version cannot do it
        ├── IncompleteError         part of the work failed; the counts say which
        └── AuditError              the audit trail or evidence is damaged

A message has five parts: what failed for which object, what was got and expected, what is
done and left, how to mend it, and whether a retry is safe, then a code such as ``[HL-1203]``.
docs/reference/errors.md lists the codes.
"""

from __future__ import annotations

from typing import Any


class HeavyliftError(Exception):
    """Base of all errors of Heavylift; renders the five-part message.

    Picklable (Airflow moves exceptions between processes), and never given a secret.

    :param what: the act and the object it failed for, e.g. ``"copy of s3://a/b"``.
    :param got: what was found.
    :param expected: what was needed.
    :param state: what is done and what is left; how the target looks now.
    :param remedy: the command, setting or act that mends it.
    :param retry_safe: whether running the same thing again can do no harm.
    :param code: four digits, unique to this situation.
    """

    default_code = "0000"

    def __init__(
        self,
        what: str,
        *,
        got: str = "",
        expected: str = "",
        state: str = "",
        remedy: str = "",
        retry_safe: bool = True,
        code: str | None = None,
    ) -> None:
        self.what = what
        self.got = got
        self.expected = expected
        self.state = state
        self.remedy = remedy
        self.retry_safe = retry_safe
        self.code = code or self.default_code
        super().__init__(self.render())

    def render(self) -> str:
        """Return the five-part message on one line, ending with the code."""
        parts = [f"{self.what} failed"]
        if self.got or self.expected:
            seen = [f"got {self.got}"] if self.got else []
            if self.expected:
                seen.append(f"expected {self.expected}")
            parts[0] += ": " + ", ".join(seen)
        if self.state:
            parts.append(f"State: {self.state}")
        if self.remedy:
            parts.append(f"To fix: {self.remedy}")
        parts.append(f"Retry: {'safe' if self.retry_safe else 'unsafe'}")
        return ". ".join(part.rstrip(".") for part in parts) + f". [HL-{self.code}]"

    def attrs(self) -> dict[str, Any]:
        """Return the parts as plain JSON, for evidence and ``--json`` output."""
        return {
            "type": type(self).__name__,
            "code": f"HL-{self.code}",
            "what": self.what,
            "got": self.got,
            "expected": self.expected,
            "state": self.state,
            "remedy": self.remedy,
            "retry_safe": self.retry_safe,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), {k: v for k, v in self.__dict__.items() if k != "args"}))


def _rebuild(cls: type[HeavyliftError], state: dict[str, Any]) -> HeavyliftError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    Exception.__init__(error, error.render())
    return error


class TransientError(HeavyliftError):
    """May go away by itself; callers retry it with backoff.

    ``retry_after`` holds the seconds that the other side asked to wait, where it did.
    """

    default_code = "1000"
    retry_after: str = ""


class ThrottledError(TransientError):
    """The other side asks for less load (HTTP 429, S3 ``SlowDown``)."""

    default_code = "1001"


class ServerUnavailableError(TransientError):
    """No usable answer: connection refused or cut, 5xx, time-out."""

    default_code = "1002"


class WindowClosedError(TransientError):
    """The time windows of the spec are closed: nothing is wrong, the work goes on when they open.

    ``opens_at`` is that moment, in ISO 8601 and UTC.
    """

    default_code = "1003"
    opens_at: str = ""


class PermanentError(HeavyliftError):
    """Stays until somebody acts; never retried."""

    default_code = "2000"


class SpecError(PermanentError):
    """The migration spec is wrong; the message names file, line and field."""

    default_code = "2001"


class ConnectionConfigError(PermanentError):
    """A connection is missing, or lacks a field that is needed."""

    default_code = "2002"


class CredentialError(PermanentError):
    """The other side refuses the credentials, or they lack a permission."""

    default_code = "2003"


class NotFoundError(PermanentError):
    """A bucket, object or piece of evidence does not exist."""

    default_code = "2004"


class AlreadyExistsError(PermanentError):
    """A create-only write found something already there; nothing was overwritten."""

    default_code = "2005"


class ConflictError(PermanentError):
    """The target holds something that Heavylift did not write and may not touch."""

    default_code = "2006"


class PreconditionError(PermanentError):
    """The object is no longer the version that was asked for."""

    default_code = "2007"


class IntegrityError(PermanentError):
    """Bytes or checksums differ from what they must be.

    ``left_version`` is the version of a wrong object that was written and could not be deleted again;
    empty where none is left.
    """

    default_code = "2008"
    left_version: str = ""


class NoRoomError(PermanentError):
    """The other side is full, or a quota is used up; whatever is sent next is refused too."""

    default_code = "2012"


class UnsupportedError(PermanentError):
    """The platform, or this version of Heavylift, cannot do what was asked."""

    default_code = "2009"


class IncompleteError(PermanentError):
    """Part of the work failed; counts and evidence say which part."""

    default_code = "2010"


class AuditError(PermanentError):
    """The audit trail or a piece of evidence is damaged or was changed."""

    default_code = "2011"
