"""What foreign keys do to children on the source: InnoDB does it by itself, and its log does not say so.

``ON DELETE CASCADE``, ``SET NULL`` and their like of ``ON UPDATE`` change rows of which the binary log has no
event. They are done again on the target, each at its place between the rows that the log has: a
barrier stands before a parent's row that goes, and the children of that moment are followed down from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from heavylift.tables.model import TableName
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.postgres.batches import Assembler
from heavylift.tables.postgres.fold import Cascaded, Effect, Shape
from heavylift.tables.postgres.pgoutput import DELETE, UPDATE, Value, kind_and_relation, read_row

_CASCADE = "CASCADE"
_ACTS = frozenset({_CASCADE, "SET NULL"})
Values = tuple[Value, ...]


@dataclass(frozen=True)
class Action:
    """One foreign key that acts on its child's rows.

    :param columns: of the child; ``parent_columns``: those that they refer to.
    """

    child: TableName
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str


Actions = Mapping[TableName, Sequence[Action]]
"""By the parent's name."""


def actions_of(tables: Iterable[SourceTable]) -> dict[TableName, list[Action]]:
    """Return the foreign keys between some tables that change children's rows by themselves."""
    tables = list(tables)
    known = {table.name for table in tables}
    found: dict[TableName, list[Action]] = {}
    for table in tables:
        for key in table.foreign_keys:
            rules = (key.on_delete.upper(), key.on_update.upper())
            if key.to in known and _ACTS & set(rules):
                action = Action(table.name, key.columns, key.to_columns, *rules)
                found.setdefault(key.to, []).append(action)
    return found


class CascadeAssembler(Assembler):
    """Puts a barrier before each change of a parent that changes children silently."""

    def __init__(
        self,
        start: int,
        keys: Mapping[TableName, tuple[str, ...]],
        copied: Callable[[TableName], int],
        limit: int,
        back: str,
        actions: Actions,
    ) -> None:
        super().__init__(start, keys, copied, limit, back)
        self._actions = actions
        self._below = {parent: _descendants(parent, actions) for parent in actions}

    def row(self, data: bytes) -> bool:
        """Take in a message about one row; tell whether it was one."""
        if self._actions:
            kind, oid = kind_and_relation(data)
            if kind in (DELETE, UPDATE):
                shape = self._shapes.get(oid)
                if shape is not None and shape.table in self._actions and self._takes(oid):
                    self._meet(kind, shape, data)
        return super().row(data)

    def _takes(self, oid: int) -> bool:
        return not self._skips and self._wants(oid)

    def _meet(self, kind: int, shape: Shape, data: bytes) -> None:
        old, position, _ = read_row(data, 6)
        before = dict(zip(shape.columns, old, strict=True))
        after = None
        if kind == UPDATE:
            new, _, _ = read_row(data, position + 1)
            after = dict(zip(shape.columns, new, strict=True))
        if not self._acts(shape.table, before, after):
            return
        below = self._below[shape.table]
        if any(fold.shape.table in below for fold in self._open.values()):
            self._close()
        begun = self._begun.final_lsn if self._begun else 0
        effect = Effect(shape.table, begun, before, after)
        last = self._batch.segments[-1] if self._batch.segments else None
        if isinstance(last, Cascaded):
            last.effects.append(effect)
        else:
            self._batch.segments.append(Cascaded([effect]))

    def _acts(self, table: TableName, old: Mapping[str, Value], new: Mapping[str, Value] | None) -> bool:
        for action in self._actions[table]:
            if new is None and action.on_delete in _ACTS:
                return True
            changed = new is not None and any(old[name] != new[name] for name in action.parent_columns)
            if changed and action.on_update in _ACTS:
                return True
        return False


class Hands(Protocol):
    """What is done to rows of the target, within the transaction of the batch."""

    def select(
        self, table: TableName, wanted: Sequence[str], columns: Sequence[str], keys: Sequence[Values]
    ) -> list[Values]:
        """Return some columns of the rows whose ``columns`` hold one of ``keys``."""

    def delete(self, table: TableName, columns: Sequence[str], keys: Sequence[Values]) -> None:
        """Delete those rows."""

    def update(
        self, table: TableName, columns: Sequence[str], keys: Sequence[Values], values: Values
    ) -> None:
        """Give the ``columns`` of those rows other values."""


@dataclass(frozen=True)
class Cascader:
    """Follows effects down to the children.

    :param copied: from which position on a table's changes are wanted: what came before is in its copy.
    """

    actions: Actions
    copied: Callable[[TableName], int]

    def __call__(self, hands: Hands, segment: Cascaded) -> None:
        """Do what the segment's effects come to."""
        for effect in segment.effects:
            if effect.new is None:
                self._gone(hands, effect.table, [effect.old], effect.position)
            else:
                self._changed(hands, effect.table, [(effect.old, effect.new)], effect.position)

    def _gone(
        self, hands: Hands, table: TableName, rows: Sequence[Mapping[str, Value]], position: int
    ) -> None:
        for action in self._of(table, position):
            keys = _keys(rows, action.parent_columns)
            if not keys or action.on_delete not in _ACTS:
                continue
            if action.on_delete != _CASCADE:
                self._set(hands, action, keys, (None,) * len(action.columns), position)
                continue
            children = self._children(hands, action, keys)
            # First of all, so that a table that refers to itself comes to an end.
            hands.delete(action.child, action.columns, keys)
            if children:
                self._gone(hands, action.child, children, position)

    def _changed(
        self,
        hands: Hands,
        table: TableName,
        pairs: Sequence[tuple[Mapping[str, Value], Mapping[str, Value]]],
        position: int,
    ) -> None:
        for action in self._of(table, position):
            if action.on_update not in _ACTS:
                continue
            for old, new in pairs:
                before = tuple(old[name] for name in action.parent_columns)
                after = tuple(new[name] for name in action.parent_columns)
                if before == after or None in before:
                    continue
                values = after if action.on_update == _CASCADE else (None,) * len(after)
                self._set(hands, action, [before], values, position)

    def _set(
        self, hands: Hands, action: Action, keys: Sequence[Values], values: Values, position: int
    ) -> None:
        children = self._children(hands, action, keys)
        hands.update(action.child, action.columns, keys, values)
        given = dict(zip(action.columns, values, strict=True))
        if children:
            self._changed(hands, action.child, [(old, {**old, **given}) for old in children], position)

    def _children(self, hands: Hands, action: Action, keys: Sequence[Values]) -> list[Mapping[str, Value]]:
        """Return what children's own children refer to of them; nothing where they have none."""
        below = self.actions.get(action.child, ())
        wanted = sorted({name for each in below for name in each.parent_columns})
        if not wanted:
            return []
        rows = hands.select(action.child, wanted, action.columns, keys)
        return [dict(zip(wanted, row, strict=True)) for row in rows]

    def _of(self, table: TableName, position: int) -> list[Action]:
        return [each for each in self.actions.get(table, ()) if self.copied(each.child) <= position]


def _keys(rows: Iterable[Mapping[str, Value]], columns: Sequence[str]) -> list[Values]:
    found = dict.fromkeys(tuple(row[name] for name in columns) for row in rows)
    return [each for each in found if None not in each]


def _descendants(parent: TableName, actions: Actions) -> frozenset[TableName]:
    found: set[TableName] = set()
    waiting = [parent]
    while waiting:
        for action in actions.get(waiting.pop(), ()):
            if action.child not in found:
                found.add(action.child)
                waiting.append(action.child)
    return frozenset(found)
