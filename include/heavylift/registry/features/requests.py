"""What the mover of feature stores is asked to do: one store, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.registry.uris import UriMap

SAMPLE = 1000
"""Keys that are read online, and rows of a frame that is joined: at 95 % at most 0.3 % differ unseen."""


@dataclass(frozen=True)
class FeaturePlace:
    """A feature store on one side.

    :param history: connection of the object stores of its histories.
    """

    connection: Connection
    history: Connection | None = None


@dataclass(frozen=True)
class FeatureOptions:
    """How a feature store is moved and proved.

    :param uris: what becomes of each prefix of histories.
    :param sample: keys, and rows of a frame, that a verification draws.
    :param moment: seconds since 1970 at which times to live are judged; None for now.
    """

    uris: UriMap = field(default_factory=UriMap)
    accept_losses: bool = False
    overwrite: bool = False
    dry_run: bool = False
    parallel: int = 4
    sample: int = SAMPLE
    seed: int = 7
    moment: float | None = None

    @property
    def now(self) -> float:
        """The moment at which times to live are judged."""
        return time.time() if self.moment is None else self.moment


@dataclass(frozen=True)
class FeatureRequest:
    """One feature store's move within one run.

    :param store: under which name the move is known.
    """

    run: RunKey
    store: str
    source: FeaturePlace
    target: FeaturePlace
    evidence_url: str | None
    evidence_connection: Connection | None
    options: FeatureOptions = field(default_factory=FeatureOptions)

    @property
    def id(self) -> str:
        """Return the name that marks on the target bear."""
        return f"{self.run.migration}/{self.store}"


def place_of(
    store: Connection, objects: str | None, connections: Callable[[str], Connection]
) -> FeaturePlace:
    """Return one side's place.

    :param objects: connection id of the object store of its histories; by default a SageMaker connection
        serves S3, too.
    """
    if objects:
        return FeaturePlace(store, connections(objects))
    return FeaturePlace(store, store if store.conn_type == "aws" else None)
