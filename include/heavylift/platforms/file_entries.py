"""What a file is besides its bytes, as entries of user metadata: time, mode, owner.

Names and forms are rclone's (https://rclone.org/local/#metadata, the time in its form for S3), so that either
tool reads what the other has kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

OF = {"time": ("mtime",), "mode": ("mode",), "owner": ("uid", "gid")}
"""By what the spec calls it, the entries that carry it."""
ALL = frozenset(name for names in OF.values() for name in names)
_SECOND = 1_000_000_000
_MTIME = re.compile(r"(-?)([0-9]{1,11})(?:\.([0-9]{1,9}))?")
_MODE = re.compile(r"[0-7]{1,7}")
_ID = re.compile(r"[0-9]{1,10}")
_MOST_ID = 2**32 - 2
"""One more means "leave it as it is" to chown(2)."""


def entries_of(kinds: Iterable[str]) -> frozenset[str]:
    """Return the entries that carry what the spec names."""
    return frozenset(name for kind in kinds for name in OF[kind])


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is told of a file; None where nothing is.

    :param mtime_ns: when it was last written, in nanoseconds since 1970.
    :param mode: with the bits above those of access.
    """

    mtime_ns: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None

    def entries(self, wanted: frozenset[str]) -> dict[str, str]:
        """Return those of the entries that are wanted."""
        told = {
            "mtime": None if self.mtime_ns is None else _decimal(self.mtime_ns),
            "mode": None if self.mode is None else f"{self.mode:o}",
            "uid": None if self.uid is None else str(self.uid),
            "gid": None if self.gid is None else str(self.gid),
        }
        return {name: value for name, value in told.items() if value is not None and name in wanted}


def taken_out(metadata: Mapping[str, str], wanted: frozenset[str]) -> tuple[FileFacts, dict[str, str]]:
    """Return what metadata tells of a file, and the rest of it; what has another form is part of that."""
    found = {name: value for name in wanted if (value := _READ[name](metadata.get(name, ""))) is not None}
    rest = {name: value for name, value in metadata.items() if name not in found}
    return FileFacts(**{_FIELD.get(name, name): value for name, value in found.items()}), rest


def _decimal(nanoseconds: int) -> str:
    sign, size = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    return f"{sign}{size // _SECOND}.{size % _SECOND:09d}"


def _time(text: str) -> int | None:
    match = _MTIME.fullmatch(text)
    if match is None:
        return _moment(text)
    sign, seconds, fraction = match.groups()
    size = int(seconds) * _SECOND + int((fraction or "").ljust(9, "0"))
    return -size if sign else size


def _moment(text: str) -> int | None:
    """Read a time as rclone tells it to all stores but S3: RFC 3339, with up to nine digits of a second."""
    whole, point, rest = text.partition(".")
    digits = re.match(r"[0-9]{1,9}", rest)
    fraction = digits.group() if digits else ""
    try:
        moment = datetime.fromisoformat(whole + rest[len(fraction) :])
    except ValueError:
        return None
    if moment.tzinfo is None or bool(point) != bool(fraction):
        return None
    return round(moment.timestamp()) * _SECOND + int(fraction.ljust(9, "0"))


def _mode(text: str) -> int | None:
    return int(text, 8) if _MODE.fullmatch(text) else None


def _id(text: str) -> int | None:
    return int(text) if _ID.fullmatch(text) and int(text) <= _MOST_ID else None


_READ = {"mtime": _time, "mode": _mode, "uid": _id, "gid": _id}
_FIELD = {"mtime": "mtime_ns"}
