"""A row's text and its digest, as MySQL expressions. The contract is in :mod:`heavylift.tables.verify.side`.

Expressions hold no placeholders; names are quoted, and literals are the module's own or numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heavylift.tables.mysql.connect import ZeroDates, quoted
from heavylift.tables.mysql.types import TEMPORAL, Kind, Mapped
from heavylift.tables.verify.plan import Field, Plan, Shape

_MOST_ARGUMENTS = 90
"""Texts are joined in the same groups as on the other side: a group of NULLs is an empty text there."""
_SEPARATOR = "CHAR(31 USING utf8mb4)"


@dataclass(frozen=True)
class Canonical:
    """Writes one table's rows.

    :param columns: by name.
    :param zero_dates: what the move made of dates that no calendar has.
    """

    columns: Mapping[str, Mapped]
    zero_dates: ZeroDates

    def null(self, field: Field) -> str:
        """Return the condition that a column is NULL on the target."""
        return f"{self._held(self.columns[field.name])} IS NULL"

    def value(self, field: Field) -> str:
        """Return the expression of a column's text."""
        return self._form(self.columns[field.name])

    def _held(self, mapped: Mapped) -> str:
        name = quoted(mapped.source.name)
        if mapped.kind in TEMPORAL and self.zero_dates is ZeroDates.NULL and mapped.source.nullable:
            zero = f"YEAR({name}) = 0 OR MONTH({name}) = 0 OR DAYOFMONTH({name}) = 0"
            return f"IF({zero}, NULL, {name})"
        return name

    def _form(self, mapped: Mapped) -> str:
        held, name = self._held(mapped), quoted(mapped.source.name)
        forms = {
            Kind.INTEGER: f"CAST({name} + 0 AS CHAR)",
            Kind.DECIMAL: f"IF({name} = 0, '0', {_trimmed(f'CAST({name} + 0 AS CHAR)')})",
            Kind.FLOAT: _bits(f"({name} + 0e0)"),
            Kind.DOUBLE: _bits(name),
            Kind.BITS: f"LPAD(BIN({name} + 0), {mapped.source.length}, '0')",
            Kind.DATE: f"DATE_FORMAT({held}, '%Y-%m-%d')",
            Kind.TIME: f"TIME_FORMAT({name}, '%H:%i:%s.%f')",
            Kind.INTERVAL: _trimmed(f"CAST({name} AS CHAR)"),
            Kind.DATETIME: f"DATE_FORMAT({held}, '%Y-%m-%d %H:%i:%s.%f')",
            Kind.TIMESTAMP: f"DATE_FORMAT({held}, '%Y-%m-%d %H:%i:%s.%f')",
            Kind.BYTES: f"LOWER(HEX({name}))",
            Kind.GEOMETRY: f"LOWER(HEX({name}))",
            Kind.ORDINAL: f"CAST({name} + 0 AS CHAR)",
        }
        if self.zero_dates is ZeroDates.KEEP and mapped.kind in TEMPORAL:
            # Both sides write the same digits, also of dates that no calendar has.
            return f"CONVERT(CAST({name} AS CHAR) USING utf8mb4)"
        return f"CONVERT({forms.get(mapped.kind, f'CAST({name} AS CHAR)')} USING utf8mb4)"

    def row_text(self, plan: Plan) -> str:
        """Return the expression of a row's text, seed first."""
        plain = [self.value(each) for each in plan.fields if each.shape is Shape.PLAIN]
        raw = [self.value(each) for each in plan.fields if each.shape is Shape.RAW]
        lengths = [f"LENGTH({text})" for text in raw[:-1]]
        return joined([f"'{plan.seed}'", self._null_map(plan), *plain, *lengths, *raw])

    def row_digest(self, plan: Plan) -> str:
        """Return the expression of a row's digest."""
        return _md5(self.row_text(plan))

    def place(self, plan: Plan) -> str:
        """Return the expression of a row's place: a digest of its key, or of all of it without a key."""
        if not plan.key:
            return self.row_digest(plan)
        fields = [plan.field_of(name) for name in plan.key]
        return _md5(joined([f"'{plan.seed}'", *(self.value(each) for each in fields)]))

    def key_texts(self, plan: Plan) -> list[str]:
        """Return the expressions of the key's columns as text; NULL stays NULL."""
        return [self.value(plan.field_of(name)) for name in plan.key]

    def _null_map(self, plan: Plan) -> str:
        asked = [self.null(each) for each in plan.fields]
        if not asked:
            return "''"
        bits = ", ".join(f"IF({each}, 't', 'f')" for each in asked)
        return f"IF({' OR '.join(asked)}, CONCAT({bits}), '')"


def joined(parts: Sequence[str]) -> str:
    """Join texts by the separator, as many as there are; NULLs are left out."""
    groups = list(parts)
    while len(groups) > _MOST_ARGUMENTS:
        groups = [_concat(groups[at : at + _MOST_ARGUMENTS]) for at in range(0, len(groups), _MOST_ARGUMENTS)]
    return _concat(groups)


def _concat(parts: Sequence[str]) -> str:
    return f"CONCAT_WS({_SEPARATOR}, {', '.join(parts)})"


def _md5(text: str) -> str:
    return f"CAST(CONV(LEFT(MD5({text}), 15), 16, 10) AS SIGNED)"


def _trimmed(text: str) -> str:
    """Return a number's text without zeros behind its last other digit after the point."""
    return f"IF(INSTR({text}, '.'), TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text})), {text})"


def _bits(value: str) -> str:
    """Return a double's eight bytes, highest first: MySQL shows them in a point's binary form."""
    return f"LOWER(HEX(REVERSE(SUBSTRING(ST_AsBinary(POINT({value}, 0)), 6, 8))))"
