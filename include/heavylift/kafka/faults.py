"""From librdkafka's errors to Heavylift's: what may go away, what refuses us, what is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from heavylift.errors import (
    ConnectionConfigError,
    CredentialError,
    HeavyliftError,
    NotFoundError,
    PermanentError,
    ServerUnavailableError,
    ThrottledError,
)

REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SECURITY_DISABLED,
        KafkaError.ILLEGAL_SASL_STATE,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
MISSING = frozenset(
    {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}
)
_UNREACHABLE = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._NOENT,  # what was to be asked of a broker was lost with its connection
        KafkaError._PARTIAL,
        KafkaError._WAIT_COORD,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    }
)
_PROPERTY = re.compile(r'property "([^"]+)"')
_STATE = "what was acknowledged before stays on the target; the offset map tells how far that is"


class Complaints:
    """What a client's own threads complained of; librdkafka tells refused credentials nowhere else."""

    def __init__(self) -> None:
        self.refused: str = ""
        self.hear: Callable[[], object] = lambda: None
        """Lets a client deliver what it has to complain of; some do only when they are asked."""

    def __call__(self, error: KafkaError) -> None:
        """Take one complaint: librdkafka's ``error_cb``."""
        if error.code() in REFUSED:
            self.refused = error.name()


@contextmanager
def translated(what: str, conn_id: str, complaints: Complaints | None = None) -> Iterator[None]:
    """Turn a client's exceptions in the block into Heavylift's.

    :param what: the act and its object.
    """
    try:
        yield
    except KafkaException as error:
        if complaints is not None:
            complaints.hear()
        raise of(error.args[0], what, conn_id, complaints) from None


def of(error: KafkaError, what: str, conn_id: str, complaints: Complaints | None = None) -> HeavyliftError:
    """Return the error that says what ``error`` means for ``what``.

    librdkafka's own text stays out: it may quote a setting's value.
    """
    code = error.code()
    if code in REFUSED or (complaints is not None and complaints.refused and code in _UNREACHABLE):
        return _refused(
            what, conn_id, error.name() if code in REFUSED else (complaints or Complaints()).refused
        )
    if code in _UNREACHABLE or code == KafkaError.THROTTLING_QUOTA_EXCEEDED:
        return _passing(what, conn_id, error)
    if code == KafkaError._INVALID_ARG:
        return _bad_setting(what, conn_id, error)
    if code in MISSING:
        return NotFoundError(
            what,
            got=error.name(),
            expected="a topic and partition that the broker knows",
            state=_STATE,
            remedy="look whether the topic was deleted or renamed while it was being mirrored",
            code="6506",
        )
    if error.retriable():
        return _passing(what, conn_id, error)
    return PermanentError(
        what,
        got=f"the broker's answer {error.name()}",
        state=_STATE,
        remedy=f"look at the broker's log and at connection {conn_id!r}; docs/reference/streams.md tells"
        " which rights are needed",
        code="6507",
    )


def _refused(what: str, conn_id: str, name: str) -> CredentialError:
    return CredentialError(
        what,
        got=f"{name}: the broker refuses the credentials of connection {conn_id!r}, or they lack a right",
        expected="rights to read the source's topics and groups, to write and create topics on the target",
        state=_STATE,
        remedy=f"correct sasl.* or ssl.* of connection {conn_id!r}, or grant the rights of"
        " docs/reference/streams.md",
        code="6508",
    )


def _passing(what: str, conn_id: str, error: KafkaError) -> HeavyliftError:
    if error.code() == KafkaError.THROTTLING_QUOTA_EXCEEDED:
        return ThrottledError(
            what, got=error.name(), state=_STATE, remedy="lower the rate cap, or wait", code="6509"
        )
    return ServerUnavailableError(
        what,
        got=f"no usable answer ({error.name()})",
        expected="a broker that answers",
        state=_STATE,
        remedy=f"look whether the brokers of connection {conn_id!r} can be reached; then run it again",
        code="6510",
    )


def _bad_setting(what: str, conn_id: str, error: KafkaError) -> ConnectionConfigError:
    named = _PROPERTY.search(error.str())
    return ConnectionConfigError(
        what,
        got=f"a value for {named[1]!r} that cannot be used (not shown)" if named else "settings that clash",
        expected="values that librdkafka knows",
        state="nothing was touched",
        remedy=f"correct the extra of connection {conn_id!r}",
        code="6511",
    )
