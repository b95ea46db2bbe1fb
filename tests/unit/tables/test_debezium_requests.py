"""Which engine and which connections a request by Debezium gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, NotFoundError, UnsupportedError
from heavylift.evidence.records import RunKey
from heavylift.spec.load import load_spec
from heavylift.spec.sections_data import CaptureMethod, DatabaseEngine
from heavylift.tables import wiring
from heavylift.tables.debezium import lag
from heavylift.tables.debezium.moving import DebeziumEngine
from heavylift.tables.debezium.topics import prefix_of
from heavylift.tables.requests import TablesRequest, tables_request

SPEC = """\
apiVersion: heavylift/v1
migration: orders
owner: data
source: {platform: kubernetes, connection: a}
target: {platform: gcp, connection: b}
databases:
  - name: orders
    source: {engine: sqlserver, connection: topics}
    target: {connection: db_b}
    tables: [dbo.*]
    method: debezium
"""
TOPICS = {"bootstrap.servers": "h:1", "topic_prefix": "shop", "database_conn": "db_a"}


def connections(conn_id: str) -> Connection:
    """Look a connection up."""
    if conn_id == "topics":
        return Connection(conn_id, "kafka", extra=TOPICS)
    return Connection(conn_id, "postgres", host="h", schema="d")


@pytest.fixture
def request_(tmp_path: Path) -> TablesRequest:
    path = tmp_path / "orders.yaml"
    path.write_text(SPEC)
    run = RunKey(migration="orders", phase="transfer", run="r")
    return tables_request(load_spec(path), "orders", run, connections)


def test_a_spec_names_the_broker_and_the_broker_the_database(request_: TablesRequest) -> None:
    assert isinstance(wiring.engine_for(request_), DebeziumEngine)
    assert (request_.source.connection.conn_id, request_.source.engine) == (
        "topics",
        DatabaseEngine.SQLSERVER,
    )
    assert request_.source.database is not None
    assert request_.source.database.conn_id == "db_a"
    assert prefix_of(request_.source.connection) == "shop"
    assert wiring.lag_reader(request_.source.connection) is lag.read_lag


def test_no_way_leads_back_into_topics(request_: TablesRequest) -> None:
    with pytest.raises(UnsupportedError, match="HL-6300"):
        wiring.engine_for(request_.reversed())


@pytest.mark.parametrize("method", [CaptureMethod.AUTO, CaptureMethod.CHANGES, CaptureMethod.NATIVE])
def test_what_is_not_decoded_here_moves_by_debezium_alone(
    request_: TablesRequest, method: CaptureMethod
) -> None:
    asked = replace(request_, options=replace(request_.options, method=method))
    with pytest.raises(UnsupportedError, match=r"sqlserver.*by 'debezium'.*HL-6300"):
        wiring.engine_for(asked)


@pytest.mark.parametrize(
    "connection",
    [connections("db_a"), Connection("topics", "kafka", extra={"bootstrap.servers": "h:1"})],
)
def test_a_connection_that_tells_no_topics_is_refused(connection: Connection) -> None:
    with pytest.raises(ConnectionConfigError, match=r"topic_prefix.*HL-6700"):
        prefix_of(connection)


def test_a_database_that_the_broker_names_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "orders.yaml"
    path.write_text(SPEC)

    def without_it(conn_id: str) -> Connection:
        if conn_id == "db_a":
            raise NotFoundError("looking", got="nothing", state="-", remedy="-", code="6002")
        return connections(conn_id)

    run = RunKey(migration="orders", phase="transfer", run="r")
    with pytest.raises(NotFoundError):
        tables_request(load_spec(path), "orders", run, without_it)
