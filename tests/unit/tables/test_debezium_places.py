"""The order of events in the logs of each product, as Debezium's documentation shows them."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.errors import UnsupportedError
from heavylift.tables.debezium.events import Decoder
from heavylift.tables.debezium.places import Known, Mark, Verdict, change_place, judge, snapshot_place
from heavylift.tables.model import TableName
from tests.support.debezium_events import FIELDS, Table, with_schema

NAME = TableName("public", "t")


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (
            {"connector": "postgresql", "sequence": '[null,"27020872"]'},
            {"connector": "postgresql", "sequence": '["27021696","27020000"]'},
        ),
        (
            {"connector": "mysql", "file": "mysql-bin.000009", "pos": 900, "row": 1},
            {"connector": "mysql", "file": "mysql-bin.000010", "pos": 4, "row": 0},
        ),
        (
            {"connector": "mariadb", "file": "m.000003", "pos": 4, "row": 0},
            {"connector": "mariadb", "file": "m.000003", "pos": 4, "row": 1},
        ),
        (
            {"connector": "sqlserver", "commit_lsn": "00000027:00000758:0005",
             "change_lsn": "00000027:00000758:0003", "event_serial_no": "1"},
            {"connector": "sqlserver", "commit_lsn": "00000027:00000ac0:0002",
             "change_lsn": "00000027:00000aa0:0001", "event_serial_no": "1"},
        ),
        (
            {"connector": "db2", "commit_lsn": "00000000:00000000:00000000:0043d5c2",
             "change_lsn": "00000000:00000000:00000000:0043d5c1"},
            {"connector": "db2", "commit_lsn": "00000000:00000000:00000000:0043d5c2",
             "change_lsn": "00000000:00000000:00000000:0043d5c2"},
        ),
        (
            {"connector": "oracle", "commit_scn": "2122196", "scn": "2122185"},
            {"connector": "oracle", "commit_scn": "2122199", "scn": "2122180"},
        ),
    ],
)  # fmt: skip
def test_a_later_change_has_a_greater_place(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    assert change_place(earlier) < change_place(later)
    mark = Mark("p.t", NAME, "", place=change_place(later), at_ms=5)
    known = Known(None, changes=True)
    assert judge(NAME, "u", {**earlier, "ts_ms": 4}, mark, known) is Verdict.DROP
    assert judge(NAME, "u", {**later, "ts_ms": 5}, mark, known) is Verdict.APPLY


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ({"connector": "postgresql", "lsn": 26569136}, (26569136,)),
        ({"connector": "mysql", "file": "b.000002", "pos": 154, "row": 0}, (2, 154)),
        ({"connector": "sqlserver", "commit_lsn": "00000025:00000448:0003"}, (0x25000004480003,)),
        ({"connector": "oracle", "scn": "1513734"}, (1513734,)),
    ],
)
def test_a_snapshot_has_one_place(source: dict[str, Any], place: tuple[int, ...]) -> None:
    assert snapshot_place(source) == place


def test_a_place_without_its_transaction_is_no_news_behind_the_newest_one() -> None:
    mark = Mark("p.t", NAME, "", place=(50, 60), at_ms=5)
    source = {"connector": "postgresql", "sequence": '[null,"70"]', "ts_ms": 5}
    with pytest.raises(Exception, match="HL-6708"):
        judge(NAME, "u", source, mark, Known(None, changes=True))


def test_a_schema_that_changes_is_read_anew_and_numbers_keep_their_digits() -> None:
    decoder, table = Decoder(NAME), Table()
    for at in (1, 2):
        event = decoder.decode(*table.change("c", at, at, "v"))
        assert (event.after, event.key, decoder.version) == ({"id": at, "v": "v"}, {"id": at}, 1)
    fields = (*FIELDS, {"field": "d", "type": "double", "optional": True})
    key, value, _ = Table(fields=fields).change("c", 3, 3, ',"payload":', 0.5)
    event = decoder.decode(key, (value or b"").replace(b"0.5}", b"1.10E-3}"), None)
    assert (event.after or {})["d"] == "1.10E-3"
    assert decoder.version == 2
    assert [field.name for field in decoder.fields] == ["id", "v", "d"]


@pytest.mark.parametrize(
    "value",
    [b"\xff", b"[]", b'{"schema":{},"payload":7}', b'{"schema":null,"payload":{}}', with_schema({"op": "m"})],
)
def test_what_is_no_event_is_refused(value: bytes) -> None:
    with pytest.raises(UnsupportedError, match="HL-6702"):
        Decoder(NAME).decode(None, value, None)
