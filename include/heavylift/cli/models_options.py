"""The options that ``models`` commands share, and the request that they make."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.stores import evidence_connection
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError
from heavylift.spec.sections_models import PortableForm

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.models.requests import ModelRequest
    from heavylift.models.runtime import Runtime
    from heavylift.platforms.places import Place
    from heavylift.platforms.registered import Registered
    from heavylift.spec.expectations import Expectation

MIGRATION = "shell"
"""The migration under which evidence lies, unless ``--migration`` names one."""

Source = Annotated[
    str | None,
    typer.Argument(
        help="The model on the source: a URL, a path here, models:/name/version or models:/name@alias."
    ),
]
Target = Annotated[str | None, typer.Argument(help="The same model on the target.")]
SourceConn = Annotated[str | None, typer.Option(help="connection id of the source's store, or registry")]
TargetConn = Annotated[str | None, typer.Option(help="connection id of the target's store, or registry")]
SourceArtifactsConn = Annotated[
    str | None,
    typer.Option(help="connection id of the object store behind the source's registry, where it has one"),
]
TargetArtifactsConn = Annotated[str | None, typer.Option(help="the same of the target's registry")]
SourceRuntime = Annotated[
    Path | None, typer.Option(help="YAML or JSON that describes what the source runs it on")
]
TargetRuntime = Annotated[
    Path | None, typer.Option(help="the same of the target; fields as target_runtime of a spec has them")
]
GoldenSuite = Annotated[
    Path | None,
    typer.Option(help="YAML or JSON with expectations that the golden inputs must meet before anything runs"),
]
Requirement = Annotated[
    list[str] | None,
    typer.Option(help="a package with its version, for a model that is one file; repeatable"),
]
Accept = Annotated[list[str] | None, typer.Option(help="a rule whose findings are accepted; repeatable")]
Trust = Annotated[
    list[str] | None,
    typer.Option(help="a full name that pickles may import though it is not known; repeatable"),
]
Form = Annotated[
    PortableForm,
    typer.Option(help="onnx, which answers; or safetensors, the weights of a model of PyTorch"),
]
Offline = Annotated[bool, typer.Option("--offline", help="use packages that were downloaded before only")]
Name = Annotated[str | None, typer.Option("--name", help="names the model in the evidence")]
Version = Annotated[str, typer.Option("--version", help="names its version in the evidence")]
Migration = Annotated[str, typer.Option(help="name under which evidence is kept")]


def request_of(
    source: str | None,
    target: str | None,
    source_conn: str | None,
    target_conn: str | None,
    name: str | None,
    version: str,
    migration: str,
    evidence: str | None,
    evidence_conn: str | None,
    artifacts_conns: tuple[str | None, str | None] = (None, None),
) -> ModelRequest:
    """Return the request that a command's arguments make, in a run of its own.

    :param artifacts_conns: of the object stores behind both sides' registries.
    :raises SpecError: a URL cannot be read.
    :raises ConnectionConfigError: a connection is not set.
    """
    from heavylift.evidence.records import RunKey
    from heavylift.models.requests import ModelRequest

    run = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    named, numbered = _registered_as(source or target or "")
    return ModelRequest(
        run=RunKey(migration=migration, phase="revalidate", run=run),
        model=name or named or _last_part(source or target or "model"),
        version=version or numbered,
        source=model_of(source, source_conn, artifacts_conns[0]) if source else None,
        target=model_of(target, target_conn, artifacts_conns[1]) if target else None,
        evidence_url=evidence,
        evidence_connection=evidence_connection(evidence_conn),
    )


def _registered_as(text: str) -> tuple[str, str]:
    """Return name and version, or alias, of a model in a registry; nothing for others."""
    from heavylift.locations import is_registered, parse_registered

    if not is_registered(text):
        return "", ""
    name, version, alias = parse_registered(text)
    return name, version or alias


def model_of(text: str, conn: str | None, artifacts_conn: str | None) -> Place | Registered:
    """Return where a model is: in a registry by its name, else at a URL or a path."""
    from heavylift.locations import is_registered, parse_registered
    from heavylift.platforms.registered import Registered

    if not is_registered(text):
        return place_of(text, conn)
    if conn is None:
        raise _no_connection(text, "the connection of its registry")
    found = connection_from_env(artifacts_conn) if artifacts_conn else None
    return Registered(*parse_registered(text), connection_from_env(conn), lambda: found)


def registered_or_folder(text: str, conn: str | None, artifacts_conn: str | None) -> Place | Registered:
    """Return where a converted model goes: a registered model without a version, or a folder."""
    from heavylift.locations import REGISTERED, is_registered

    if not is_registered(text):
        return place_of(text, conn)
    name = text.removeprefix(REGISTERED)
    return model_of(f"{REGISTERED}{name}/new", conn, artifacts_conn)


def place_of(text: str, conn: str | None) -> Place:
    """Return the place that a URL or a path names."""
    from heavylift.locations import parse_location
    from heavylift.platforms.places import Place

    location = parse_location(text if "://" in text else Path(text).absolute().as_uri())
    if location.scheme == "file":
        return Place(location)
    if conn is None:
        raise _no_connection(str(location), "the connection of its store")
    return Place(location, connection_from_env(conn))


def _no_connection(what: str, expected: str) -> SpecError:
    return SpecError(
        f"opening {what}",
        got="no connection",
        expected=expected,
        state="nothing was touched",
        remedy="add --source-conn, --target-conn or --golden-conn",
        code="7580",
    )


def with_check(
    request: ModelRequest,
    source_runtime: Path | None,
    target_runtime: Path | None,
    requirement: list[str] | None,
    accept: list[str] | None,
    trust: list[str] | None,
    *,
    offline: bool,
) -> ModelRequest:
    """Return the request with the options of the check."""
    from heavylift.models.rules import RULES

    unknown = sorted(set(accept or ()) - {name for name, rule in RULES.items() if rule.acceptable})
    if unknown:
        raise SpecError(
            "reading --accept",
            got=", ".join(unknown),
            expected="rules that may be accepted: "
            + ", ".join(n for n, rule in RULES.items() if rule.acceptable),
            state="nothing was touched",
            remedy="correct --accept",
            code="7581",
        )
    options = replace(
        request.check,
        source_runtime=_runtime(source_runtime),
        target_runtime=_runtime(target_runtime),
        requirements=tuple(requirement or ()),
        accept=frozenset(accept or ()),
        trusted=frozenset(trust or ()),
        offline=offline,
    )
    return replace(request, check=options)


def endpoint_of(conn: str | None) -> Connection | None:
    """Return the connection of a scoring server, where one is named."""
    return connection_from_env(conn) if conn else None


def _runtime(path: Path | None) -> Runtime | None:
    if path is None:
        return None
    import yaml
    from pydantic import ValidationError

    from heavylift.models.requests import runtime_of
    from heavylift.spec.sections_models import ModelRuntime

    try:
        return runtime_of(ModelRuntime.model_validate(yaml.safe_load(path.read_text("utf-8")) or {}))
    except (OSError, ValueError, yaml.YAMLError, ValidationError) as error:
        raise SpecError(
            f"reading the runtime {path}",
            got=" ".join(str(error).split())[:300],
            expected="the fields of target_runtime (docs/reference/spec.md)",
            state="nothing was touched",
            remedy="correct the file",
            code="7582",
        ) from error


def suite_of(path: Path | None) -> tuple[Expectation, ...]:
    """Return the expectations of a file: a list, or as Great Expectations saves a suite."""
    if path is None:
        return ()
    import yaml
    from pydantic import ValidationError

    from heavylift.spec.expectations import Expectation

    try:
        found = yaml.safe_load(path.read_text("utf-8"))
        listed = found.get("expectations") if isinstance(found, dict) else found
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise ValueError("no list of expectations")
        kept = ({name: each[name] for name in ("type", "kwargs", "name") if name in each} for each in listed)
        return tuple(Expectation.model_validate(each) for each in kept)
    except (OSError, ValueError, yaml.YAMLError, ValidationError) as error:
        raise SpecError(
            f"reading the suite {path}",
            got=" ".join(str(error).split())[:300],
            expected="a list of Great Expectations' expectations, each with type and kwargs",
            state="nothing was touched",
            remedy="correct the file",
            code="7822",
        ) from error


def _last_part(text: str) -> str:
    return text.rstrip("/").rpartition("/")[2] or "model"


def latency_plan(requests: int, warm_up: int, max_ratio: float, *, skip: bool) -> Any:
    """Return how durations are compared; None where they are not."""
    from heavylift.models.latency import LatencyPlan

    return None if skip else LatencyPlan(requests=requests, warm_up=warm_up, max_ratio=max_ratio)
