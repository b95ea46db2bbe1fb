"""Caps, progress and the curve of a run."""

from __future__ import annotations

from heavylift.streams.fingerprints import RollingHash, fingerprint
from heavylift.streams.kafka.pace import Pace
from heavylift.streams.ports import StreamProgress, Watch
from heavylift.streams.progress_text import progress_line


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_cap_holds_back_and_small_chunks_keep_it_even() -> None:
    clock = Clock()
    pace = Pace("mirror", 1000, Watch(), max_bytes=1000, max_records=100, clock=clock)
    assert pace.chunk(5000) == 1
    pace.count([], 10, 4000)
    assert pace.wait() == 4.0
    clock.now += 4
    assert pace.wait() == 0.0
    assert Pace("mirror", 1, Watch(), clock=clock).chunk(5000) == 5000


def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    clock, told = Clock(), list[StreamProgress]()
    pace = Pace("mirror", 1000, Watch(report=told.append), clock=clock)
    pace.count([], 100, 2**20)
    pace.tell()
    assert told == []
    clock.now += 2
    pace.tell()
    assert (told[0].records_per_second, told[0].seconds_left) == (50, 18)
    assert progress_line(told[0]) == "mirror: 100 of 1,000 records (1.0 MiB), 50/s, 18 s left"
    pace.tell(at_end=True)
    assert len(told) == 2


def test_a_long_runs_curve_stays_small() -> None:
    clock = Clock()
    pace = Pace("mirror", 1, Watch(), clock=clock)
    for _ in range(3000):
        clock.now += 1
        pace.tell()
    assert 50 < len(pace.samples) <= 200


class Record:
    def __init__(
        self, key: bytes | None, value: bytes | None, headers: object = None, stamp: int = 1
    ) -> None:
        self._parts = (key, value, headers, stamp)

    def key(self) -> bytes | None:
        return self._parts[0]

    def value(self) -> bytes | None:
        return self._parts[1]

    def headers(self) -> object:
        return self._parts[2]

    def timestamp(self) -> tuple[int, int]:
        return (1, self._parts[3])

    def offset(self) -> int:
        return 0


def test_whatever_differs_has_another_fingerprint() -> None:
    records = [
        Record(None, None),
        Record(b"", None),
        Record(None, b""),
        Record(b"a", b"b"),
        Record(b"ab", b""),
        Record(b"", b"ab"),
        Record(b"a", b"b", stamp=2),
        Record(b"a", b"b", [("h", None)]),
        Record(b"a", b"b", [("h", b"")]),
        Record(b"a", b"b", [("h", b""), ("h", b"")]),
        Record(b"a", b"b", [("x", b"1"), ("y", b"2")]),
        Record(b"a", b"b", [("y", b"2"), ("x", b"1")]),
    ]
    assert len({fingerprint(record) for record in records}) == len(records)  # type: ignore[arg-type]
    assert fingerprint(Record(b"a", b"b", [])) == fingerprint(Record(b"a", b"b", None))  # type: ignore[arg-type]


def test_a_rolling_hash_depends_on_the_order() -> None:
    one, two = RollingHash(), RollingHash()
    for text in (b"a", b"b"):
        one.add(text)
    for text in (b"b", b"a"):
        two.add(text)
    assert one.hexdigest() != two.hexdigest()
