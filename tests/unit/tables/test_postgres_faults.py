"""What an error of PostgreSQL means: retry, rights, room, or neither; and that it tells no value of a row."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from heavylift.errors import CredentialError, NoRoomError, PermanentError, ServerUnavailableError
from heavylift.tables.postgres.faults import translated
from heavylift.tables.postgres.programs import _may_go_away


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.AdminShutdown("terminating connection"), ServerUnavailableError),
        (errors.DeadlockDetected("deadlock detected"), ServerUnavailableError),
        (errors.ObjectInUse('replication slot "s" is active for PID 7'), ServerUnavailableError),
        (errors.OutOfMemory("out of memory"), ServerUnavailableError),
        (psycopg.OperationalError("connection refused"), ServerUnavailableError),
        (errors.ConnectionFailure("could not connect to the publisher: timeout"), ServerUnavailableError),
        (
            errors.ConnectionFailure("could not connect: FATAL: password authentication failed for x"),
            CredentialError,
        ),
        (errors.InsufficientPrivilege("permission denied for table t"), CredentialError),
        (psycopg.OperationalError("FATAL: no pg_hba.conf entry for host"), CredentialError),
        (errors.DiskFull("could not extend file"), NoRoomError),
        (errors.UndefinedObject('publication "p" does not exist'), PermanentError),
    ],
)
def test_only_what_can_pass_by_itself_is_retried(error: psycopg.Error, kind: type[Exception]) -> None:
    assert type(translated(error, "applying changes", "nothing was applied")) is kind


def test_a_value_that_cannot_be_read_is_not_told() -> None:
    error = errors.InvalidTextRepresentation('invalid input value for enum mood: "secret "" value"')
    text = str(translated(error, "applying changes", "nothing was applied"))
    assert "secret" not in text
    assert "invalid input value for enum mood: … (SQLSTATE 22P02)" in text


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ('connection to server at "h", port 1 failed: Connection refused', True),
        ('connection to server at "h" failed: FATAL:  the database system is starting up', True),
        ("pg_dump: error: query failed: FATAL:  terminating connection due to administrator command", True),
        ("query failed: ERROR:  canceling statement due to lock timeout", True),
        ("connection failed: FATAL:  sorry, too many clients already", True),
        ('connection to server failed: FATAL:  password authentication failed for user "x"', False),
        ('connection to server failed: FATAL:  database "x" does not exist', False),
        ("query failed: ERROR:  permission denied for table t", False),
    ],
)
def test_pg_dump_is_run_again_only_where_that_can_help(said: str, passes: bool) -> None:
    assert _may_go_away(said) is passes
