"""What is asked for: the endpoints of a spec, with connections and files looked up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import SpecError
from heavylift.evidence.records import RunKey
from heavylift.spec.beside import one_beside
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_endpoints import Endpoint

ENDPOINTS_PHASE = "endpoints"
"""Under which the shell's runs lie; those of the DAG are of the phase provision."""


@dataclass(frozen=True)
class EndpointsRequest:
    """The endpoints of one migration.

    :param connections: by id, of both sides.
    :param region: the target's, where neither spec nor connection says more.
    """

    run: RunKey
    endpoints: tuple[Endpoint, ...]
    connections: Mapping[str, Connection] = field(repr=False)
    region: str = ""
    target_platform: str = ""
    spec_path: str = ""


def endpoints_request(
    spec: MigrationSpec, spec_path: str | Path, run: RunKey, look_up: Callable[[str], Connection]
) -> EndpointsRequest:
    """Return what a spec asks for.

    :raises SpecError: it has no section ``endpoints``.
    """
    if not spec.endpoints:
        raise SpecError(
            f"reading the endpoints of {spec.migration}",
            got="a spec without a section endpoints",
            expected="one",
            state="nothing was touched",
            remedy="name the endpoints in the section endpoints",
            code="9292",
        )
    sides = [side for each in spec.endpoints for side in (each.source, each.target) if side is not None]
    ids = {side.connection for side in sides}
    return EndpointsRequest(
        run,
        spec.endpoints,
        {each: look_up(each) for each in sorted(ids)},
        spec.target.region or "",
        spec.target.platform.value,
        str(spec_path),
    )


def json_beside(spec_path: str, name: str) -> Any:
    """Return a JSON file beside the spec.

    :raises NotFoundError: it is not there.
    :raises SpecError: it is no JSON, or lies outside of the spec's folder.
    """
    path = one_beside(spec_path, name)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SpecError(
            f"reading {name} beside the spec",
            got=f"no JSON ({error})",
            expected="a JSON document",
            state="nothing was touched",
            remedy="correct the file",
            code="9293",
        ) from None
