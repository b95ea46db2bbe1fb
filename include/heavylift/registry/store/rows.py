"""What a store must tell of itself to be staged beside the target's tables, whatever it lies in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from heavylift.errors import HeavyliftError
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.store.catalog import StoreTable
    from heavylift.registry.store.unfit import Unfit


class RowSource(Protocol):
    """A tracking store as of one moment, which is only read."""

    @property
    def place(self) -> str:
        """Where it lies, for messages and records; nothing secret."""

    @property
    def moment(self) -> datetime:
        """As of when it is read: never later than the snapshot."""

    @property
    def keeps_references(self) -> bool:
        """Whether :meth:`unfit` has also found rows that refer to what is not there."""

    def tables(self, looked_for: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the columns that are written of each table, by name.

        :param looked_for: the target's tables; one that may not be read must not pass for absent.
        """

    def others(self, names: Iterable[str]) -> set[str]:
        """Return those of the names that are no tables of the database's own."""

    def revision(self) -> str:
        """Return alembic's revision of MLflow's schema."""

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield a table's rows, never all of them at once."""

    def unfit(self, tables: Mapping[str, StoreTable], required: Mapping[str, frozenset[str]]) -> list[Unfit]:
        """Return what the target's columns do not take.

        :param tables: the target's, of those that the source has.
        :param required: the columns of each that must have a value.
        """

    def refused(self, found: Sequence[Unfit], request: RegistryRequest) -> HeavyliftError:
        """Return the error that names what the target does not take."""

    def differs(self, got: str, request: RegistryRequest) -> HeavyliftError:
        """Return the error of tables that are others than the target's."""

    def read_back_otherwise(self, table: str, sent: int, back: int) -> HeavyliftError:
        """Return the error of a staged table that is not what was sent: its numbers of rows."""
