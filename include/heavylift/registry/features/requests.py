"""What the mover of feature stores is asked to do: one store, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.records import RunKey
from heavylift.registry.uris import UriMap, uri_map

if TYPE_CHECKING:
    from heavylift.spec.model import MigrationSpec

SAMPLE = 1000
"""Keys that are read online, and rows of a frame that is joined: at 95 % at most 0.3 % differ unseen."""

_CLOUDS = frozenset({"aws", "google_cloud_platform"})


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

    :param objects: connection id of the object store of its histories; by default the connection of
        a cloud serves its object store, too.
    """
    if objects:
        return FeaturePlace(store, connections(objects))
    return FeaturePlace(store, store if store.conn_type in _CLOUDS else None)


def feature_request(
    spec: MigrationSpec,
    store: str,
    run: RunKey,
    connections: Callable[[str], Connection],
    *,
    dry_run: bool = False,
) -> FeatureRequest:
    """Return the request that moves one feature store of a spec.

    :param connections: looks a connection up by its id.
    :raises NotFoundError: the spec has no such feature store.
    """
    found = next((each for each in spec.feature_stores if each.name == store), None)
    if found is None:
        raise NotFoundError(
            f"looking up feature store {store!r} of migration {spec.migration!r}",
            got="no such feature store in the spec",
            expected=", ".join(each.name for each in spec.feature_stores) or "a feature_stores section",
            state="nothing was touched",
            remedy="the spec was changed during the run: start a new run",
            code="7717",
        )
    source, target = (
        place_of(connections(side.connection), side.history_connection, connections)
        for side in (found.source, found.target)
    )
    return FeatureRequest(
        run=run,
        store=store,
        source=source,
        target=target,
        evidence_url=spec.evidence.url,
        evidence_connection=connections(spec.evidence.connection) if spec.evidence.connection else None,
        options=FeatureOptions(
            uris=uri_map((each.source, each.target) for each in found.history),
            accept_losses=found.accept_losses,
            overwrite=found.overwrite,
            dry_run=dry_run,
            parallel=found.parallel,
            sample=found.sample,
        ),
    )
