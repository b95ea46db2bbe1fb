"""What is wanted of an endpoint, and what every product must be able to do for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from heavylift.evidence.endpoint_records import EndpointGap, ThingState

OWNER = "heavylift-migration"
"""Label or tag of everything that is made here; its value is the migration's name."""
ENDPOINT = "heavylift-endpoint"
"""Label or tag that names the endpoint that a thing belongs to."""
EPOCH = "heavylift-epoch"
"""Label or tag of a cutover: from then on the split is the cutover's."""

Kind = Literal["model", "environment", "configuration", "endpoint", "deployment", "traffic"]


@dataclass(frozen=True)
class WantedModel:
    """A registered version, or an artefact; one of both."""

    registered: str = ""
    version: str = ""
    artifact: str = ""
    form: str = "custom_model"


@dataclass(frozen=True)
class WantedDeployment:
    """One model on machines of its own, everything decided.

    :param variables: values that are no secrets; ``references``: variable → where the secret lies.
    """

    name: str
    model: WantedModel
    machine: str
    min_replicas: int
    max_replicas: int
    traffic: int
    image: str = ""
    environment: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    port: int = 8080
    predict_route: str = "/predict"
    health_route: str = "/health"
    variables: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    accelerator: str = ""
    accelerators: int = 0


@dataclass(frozen=True)
class WantedEndpoint:
    """One endpoint, everything decided.

    :param name: in the spec; ``endpoint`` on the target.
    :param existing: it is somebody else's and stays; deployments are added.
    :param leaving: it is to be removed: only names count.
    """

    migration: str
    name: str
    endpoint: str
    location: str
    deployments: tuple[WantedDeployment, ...]
    description: str = ""
    existing: bool = False
    role: str = ""
    network: str = ""
    key: str = ""
    leaving: bool = False

    @property
    def marks(self) -> dict[str, str]:
        """The labels of all that is made for it."""
        return {OWNER: self.migration, ENDPOINT: self.endpoint}


@dataclass(frozen=True)
class Thing:
    """One thing that an endpoint consists of.

    :param body: what it shall be, as the product's API spells it, without marks.
    :param path: where it is, as the product names it.
    """

    kind: Kind
    name: str
    body: Mapping[str, Any]
    path: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the endpoint's other things."""
        return self.kind, self.name


@dataclass(frozen=True)
class Seen:
    """How a thing was found.

    :param detail: what the product says where it failed; ``differs`` the fields that are not as wanted.
    """

    state: ThingState
    detail: str = ""
    differs: tuple[str, ...] = ()


class ServingPort(Protocol):
    """One product, for one account and location; a thing is made by its own name, so never twice."""

    product: str

    async def close(self) -> None:
        """Close connections."""
        ...

    def gaps(self, wanted: WantedEndpoint) -> Sequence[EndpointGap]:
        """Return what the product cannot be told; asks nobody."""
        ...

    async def things(self, wanted: WantedEndpoint) -> list[Thing]:
        """Return all that the endpoint consists of, in the order of making.

        :raises NotFoundError: a registered version, or an endpoint that should exist, is not there.
        """
        ...

    async def leftovers(self, wanted: WantedEndpoint) -> list[Thing]:
        """Return what was made for the endpoint and its deployments do not name any more."""
        ...

    async def see(self, wanted: WantedEndpoint, thing: Thing) -> Seen:
        """Look at one thing; changes nothing."""
        ...

    async def make(self, wanted: WantedEndpoint, thing: Thing) -> None:
        """Begin to make or to change a thing; returns once that is accepted."""
        ...

    async def remove(self, wanted: WantedEndpoint, thing: Thing) -> None:
        """Begin to remove a thing that was seen to be ours."""
        ...

    async def ask(self, wanted: WantedEndpoint, body: Any) -> Any:
        """Send one request for a prediction and return the answer."""
        ...


def differing(wanted: Any, there: Any, path: str = "") -> list[str]:
    """Return the fields of ``wanted`` that are not so in ``there``, whatever that has beside them."""
    if isinstance(wanted, Mapping):
        found = there if isinstance(there, Mapping) else {}
        return [
            name
            for key, value in wanted.items()
            for name in differing(value, found.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(wanted, list | tuple):
        same = isinstance(there, list | tuple) and len(wanted) == len(there)
        if not same:
            return [path]
        return [
            name for one, other in zip(wanted, there, strict=True) for name in differing(one, other, path)
        ]
    return [] if wanted == there else [path]
