"""From the spec and the source's endpoint to what is wanted, everything decided, and what stays behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from heavylift.endpoints.ports import WantedDeployment, WantedEndpoint, WantedModel
from heavylift.endpoints.source import SourceDeployment, SourceEndpoint, gap
from heavylift.errors import SpecError
from heavylift.evidence.endpoint_records import EndpointGap
from heavylift.facts.accelerators import load_accelerators, need_of
from heavylift.facts.vertex_names import vertex_name
from heavylift.spec.sections_endpoints import Deployment, Endpoint, EndpointKind

_PLATFORM = {EndpointKind.VERTEX: "gcp", EndpointKind.AZURE_ML: "azure", EndpointKind.SAGEMAKER: "aws"}
_NONE = SourceDeployment("")


@dataclass(frozen=True)
class Decided:
    """One endpoint, and what of it stays behind."""

    wanted: WantedEndpoint
    gaps: tuple[EndpointGap, ...]


def decide(
    migration: str,
    endpoint: Endpoint,
    source: SourceEndpoint | None,
    location: str,
    *,
    leaving: bool = False,
) -> Decided:
    """Return what is wanted.

    :param leaving: it is to be removed: names are enough.

    :raises SpecError: neither spec nor source tells something that is needed; all of it is named.
    """
    missing: list[str] = []
    gaps = list(source.gaps) if source else []
    deployments = []
    for each in endpoint.deployments:
        found = source.find(each.name, each.source) if source else None
        if each.source is not None and found is None:
            missing.append(f"{each.name}: there is no {each.source} on the source")
        deployments.append(_deployment(endpoint, each, found or _NONE, source, missing, gaps))
    shares = sum(each.traffic for each in deployments)
    if not missing and shares != 100:
        missing.append(f"the deployments have {shares} % of the traffic, not 100")
    if missing and not leaving:
        raise SpecError(
            f"deciding on endpoint {endpoint.name}",
            got="; ".join(missing),
            expected="all that a deployment needs, from the spec or from the source's endpoint",
            state="nothing was made",
            remedy="say it in the spec",
            code="9295",
        )
    gaps += _left_out(endpoint, source)
    target = endpoint.target
    wanted = WantedEndpoint(
        migration, endpoint.name, target.endpoint, location, tuple(deployments), endpoint.description,
        target.existing, target.role or "", target.network or "", target.key or "", leaving,
    )  # fmt: skip
    return Decided(wanted, tuple(gaps))


def judged(endpoint: Endpoint, gaps: Sequence[EndpointGap]) -> tuple[list[EndpointGap], list[str]]:
    """Return the gaps with the reason why each is all right, and the acceptances that have met none."""
    found, met = [], set[str]()
    for each in gaps:
        fitting = [
            one for one in endpoint.accept_untranslated if fnmatchcase(each.subject, _literal(one.subject))
        ]
        met |= {one.subject for one in fitting}
        named = f"{endpoint.name}: {each.subject}"
        reason = fitting[0].reason if fitting else ""
        found.append(each.model_copy(update={"subject": named, "accepted": reason}))
    return found, [
        f"{endpoint.name}: {e.subject}" for e in endpoint.accept_untranslated if e.subject not in met
    ]


def _literal(pattern: str) -> str:
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _deployment(
    endpoint: Endpoint,
    each: Deployment,
    found: SourceDeployment,
    source: SourceEndpoint | None,
    missing: list[str],
    gaps: list[EndpointGap],
) -> WantedDeployment:
    machine, accelerator, count = _machine(endpoint.target.kind, each, found, source)
    least = each.min_replicas or found.min_replicas
    most = each.max_replicas or (found.max_replicas if each.min_replicas is None else None) or least
    traffic = each.traffic if each.traffic is not None else found.traffic
    if not machine:
        missing.append(
            f"{each.name}: no machine; the map of accelerators has none for {found.machine or 'nothing'}"
        )
    if least is None:
        missing.append(f"{each.name}: no min_replicas")
    if traffic is None:
        missing.append(f"{each.name}: no traffic")
    missing += _container(endpoint.target.kind, each)
    variables = {
        **found.variables,
        **{one.name: one.value or "" for one in each.variables if one.reference is None},
    }
    references = {one.name: one.reference for one in each.variables if one.reference}
    if not each.image and variables and endpoint.target.kind is EndpointKind.VERTEX:
        gaps += _fixed_variables(each, variables)
    model = each.model
    return WantedDeployment(
        each.name,
        WantedModel(model.registered or "", model.version or "", model.artifact or "", model.form),
        machine,
        least or 1,
        max(most or 1, least or 1),
        traffic or 0,
        each.image or "",
        each.environment or "",
        each.command,
        each.args,
        each.port or found.port or 8080,
        each.predict_route or found.predict_route or "/predict",
        each.health_route or found.health_route or "/health",
        {name: text for name, text in variables.items() if name not in references},
        references,
        each.accelerator or accelerator,
        each.accelerators or count,
    )


def _machine(
    kind: EndpointKind, each: Deployment, found: SourceDeployment, source: SourceEndpoint | None
) -> tuple[str, str, int]:
    """Return machine, accelerator and count: as the spec says, else what takes the place of the source's."""
    known = load_accelerators()
    platform = _PLATFORM[kind]
    if each.machine:
        own = known.find(platform, each.machine) if kind is EndpointKind.VERTEX else None
        return (each.machine, vertex_name(own.model), own.count) if own else (each.machine, "", 0)
    here = known.find(source.platform, found.machine) if source and found.machine else None
    if source and source.platform == platform:
        return (
            found.machine,
            vertex_name(here.model) if here and kind is EndpointKind.VERTEX else "",
            here.count if here else 0,
        )
    match = known.match(need_of(here), platform) if here else None
    if match is None or match.instance is None:
        return "", "", 0
    there = match.instance
    if kind is EndpointKind.VERTEX:
        return there.name, vertex_name(there.model), there.count
    prefix = "ml." if kind is EndpointKind.SAGEMAKER else ""
    return prefix + there.name, "", 0


def _container(kind: EndpointKind, each: Deployment) -> list[str]:
    """Return what a container lacks: images are the target's, and are never taken over from the source."""
    if each.image or each.environment:
        return []
    if kind is EndpointKind.AZURE_ML:
        bare = each.model.artifact is not None and each.model.form != "mlflow_model"
        return [f"{each.name}: neither image nor environment"] if bare else []
    return [f"{each.name}: no image for its artifact"] if each.model.artifact is not None else []


def _fixed_variables(each: Deployment, variables: dict[str, str]) -> list[EndpointGap]:
    names = ", ".join(sorted(variables))
    what = f"a registered version has the variables of its upload; {names} can't be added to it"
    return [
        gap(
            f"{each.name}: variables",
            what,
            "name an image, and the version is uploaded with it, or accept this",
        )
    ]


def _left_out(endpoint: Endpoint, source: SourceEndpoint | None) -> list[EndpointGap]:
    """Return the source's deployments with traffic that no deployment of the target stands for."""
    if source is None:
        return []
    used = {
        found.name
        for each in endpoint.deployments
        if (found := source.find(each.name, each.source)) is not None
    }
    return [
        gap(
            f"{each.name}: deployment",
            "it serves on the source, and nothing stands for it",
            "name it, or accept this",
        )
        for each in source.deployments
        if each.name not in used and each.traffic
    ]
