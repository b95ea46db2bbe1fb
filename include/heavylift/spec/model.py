"""The migration spec: one file describes one migration."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from heavylift.spec.base import Name, SpecModel, Text
from heavylift.spec.gates import (
    DEFAULT_GATES,
    DEFAULT_PART_GATES,
    Gate,
    default_registry_gate,
    default_transfer_gate,
)
from heavylift.spec.platforms import Defaults, EvidenceStore, Notify, Schedule, Side
from heavylift.spec.provision_parts import Part, part_of
from heavylift.spec.sections_assess import Assess
from heavylift.spec.sections_compliance import Compliance
from heavylift.spec.sections_containers import Containers
from heavylift.spec.sections_data import Database, FeatureStore, Registry, Stream
from heavylift.spec.sections_datasets import Dataset
from heavylift.spec.sections_decommission import Decommission
from heavylift.spec.sections_endpoints import Endpoint
from heavylift.spec.sections_envelopes import Envelope
from heavylift.spec.sections_jobs import AlertRules, ScalingPolicy, TrainingJob
from heavylift.spec.sections_models import Model
from heavylift.spec.sections_monitor import Monitor
from heavylift.spec.sections_optimize import Optimize
from heavylift.spec.sections_parts import Access, Manifests, Pipeline
from heavylift.spec.sections_platform import Cutover, Infrastructure
from heavylift.spec.sections_secrets import Secrets
from heavylift.spec.sections_workload import WorkloadTests
from heavylift.spec.vocabulary import Phase

API_VERSION: Literal["heavylift/v1"] = "heavylift/v1"


class MigrationSpec(SpecModel):
    """One workload that moves from a source platform to a target platform."""

    model_config = ConfigDict(
        title="Heavylift migration spec", validate_by_name=True, serialize_by_alias=True
    )

    api_version: Literal["heavylift/v1"] = Field(alias="apiVersion", description="Always heavylift/v1.")
    migration: Name = Field(description="The migration's name; its DAGs are <migration>.<phase>.")
    description: Text = Field(default="", description="For people; shown in the DAGs' documentation.")
    owner: Text = Field(min_length=1, description="The team or person who answers for it; the DAGs' owner.")
    source: Side = Field(description="Where the workload is.")
    target: Side = Field(description="Where it goes.")
    evidence: EvidenceStore = Field(
        default=EvidenceStore(), description="Where proofs and the audit trail are kept."
    )
    schedule: Schedule = Field(default=Schedule(), description="When the phases that repeat are started.")
    notify: Notify | None = Field(default=None, description="Whom to tell of what.")
    defaults: Defaults = Field(default=Defaults(), description="What holds unless a dataset says otherwise.")
    assess: Assess | None = Field(
        default=None, description="What is looked at on the source, and what the plan must keep to."
    )
    datasets: tuple[Dataset, ...] = Field(default=(), description="Objects that move.")
    databases: tuple[Database, ...] = Field(default=(), description="Databases that move while written to.")
    streams: tuple[Stream, ...] = Field(default=(), description="Streams that are mirrored.")
    registries: tuple[Registry, ...] = Field(
        default=(), description="Experiment histories and model registries."
    )
    feature_stores: tuple[FeatureStore, ...] = Field(
        default=(), description="Feature stores that move in the phase registry."
    )
    models: tuple[Model, ...] = Field(default=(), description="Models that must behave alike on both sides.")
    endpoints: tuple[Endpoint, ...] = Field(
        default=(), description="Endpoints that are brought up on the target."
    )
    pipelines: tuple[Pipeline, ...] = Field(default=(), description="Training pipelines that are translated.")
    training: tuple[TrainingJob, ...] = Field(
        default=(), description="Distributed training jobs that are translated."
    )
    autoscaling: tuple[ScalingPolicy, ...] = Field(
        default=(), description="Autoscaling of endpoints that is translated and simulated."
    )
    alerts: tuple[AlertRules, ...] = Field(
        default=(), description="Alert rules that are translated and replayed."
    )
    infrastructure: Infrastructure | None = Field(
        default=None, description="Infrastructure that `heavylift infra` makes on the target."
    )
    secrets: Secrets | None = Field(
        default=None, description="Secrets that are copied to the target's store of secrets."
    )
    containers: Containers | None = Field(
        default=None, description="Container images that are copied to the target's registry."
    )
    access: Access | None = Field(default=None, description="Identities and permissions.")
    manifests: Manifests | None = Field(
        default=None, description="Kubernetes manifests that are rewritten for the target."
    )
    envelopes: tuple[Envelope, ...] = Field(
        default=(),
        max_length=1_000,
        description="Objects, such as models, that are encrypted here before they are sent.",
    )
    compliance: Compliance | None = Field(
        default=None, description="Rules that the path of the data must keep."
    )
    monitor: Monitor | None = Field(default=None, description="What is watched on both sides.")
    optimize: Optimize | None = Field(
        default=None, description="Settings, sizes and purchases that are judged, to propose better ones."
    )
    gates: tuple[Gate, ...] = Field(
        default=(),
        description="What must be proved before a phase goes on; assess, provision, transfer, registry,"
        " revalidate, cutover and optimize have a default gate.",
    )
    cutover: Cutover | None = Field(default=None, description="How the live workload is switched.")
    workload_tests: WorkloadTests | None = Field(
        default=None, description="How the moved workload is tested."
    )
    decommission: Decommission | None = Field(
        default=None, description="How the source is given up after the cutover is final."
    )

    def dag_id(self, phase: Phase) -> str:
        """Return the id of the Airflow DAG for ``phase``."""
        return f"{self.migration}.{phase.value}"

    def gates_for(self, phase: Phase) -> tuple[Gate, ...]:
        """Return the gates of ``phase``; where none is named its default gate, if it has one."""
        named = tuple(gate for gate in self.gates if gate.phase is phase)
        if phase is Phase.REGISTRY and not named:
            moved = {"registries": bool(self.registries), "feature_stores": bool(self.feature_stores)}
            return (default_registry_gate(**moved),) if any(moved.values()) else ()
        if phase is Phase.TRANSFER and not named:
            return (default_transfer_gate(envelopes=bool(self.envelopes)),)
        if phase is Phase.PROVISION:
            return self._gates_of_provision(named)
        return named or DEFAULT_GATES.get(phase, ())

    def _gates_of_provision(self, named: tuple[Gate, ...]) -> tuple[Gate, ...]:
        """Return the infrastructure's gates, if there is any, then those of each part."""
        parts = self.parts
        found = tuple(gate for gate in named if part_of(gate) is None)
        if Part.INFRASTRUCTURE in parts:
            found = found or DEFAULT_GATES[Phase.PROVISION]
        volumes = self.manifests.volumes if self.manifests else None
        for part in parts:
            mine = tuple(gate for gate in named if part_of(gate) is part)
            # Jobs that are written alone have moved nothing yet: no gate of ours waits for that.
            known = part in DEFAULT_PART_GATES and not (
                part is Part.VOLUMES and volumes and not volumes.apply
            )
            found += mine or ((DEFAULT_PART_GATES[part],) if known else ())
        return found

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the phase provision makes, by the sections that the spec has; empty: it has no such phase."""
        access = self.access
        there = {
            Part.INFRASTRUCTURE: self.infrastructure is not None,
            Part.SECRETS: self.secrets is not None,
            Part.IMAGES: self.containers is not None,
            Part.PIPELINES: bool(self.pipelines),
            Part.ACCESS: access is not None,
            Part.TARGET_ACCESS: access is not None and access.is_compared,
            Part.MANIFESTS: self.manifests is not None,
            Part.VOLUMES: self.manifests is not None and self.manifests.volumes is not None,
            Part.TRAINING: bool(self.training),
            Part.AUTOSCALING: bool(self.autoscaling),
            Part.ALERTS: bool(self.alerts),
            Part.ENDPOINTS: bool(self.endpoints),
            Part.SERVING: bool(self.endpoints),
            Part.ENDPOINTS_REMOVAL: bool(self.endpoints),
        }
        return tuple(part for part, named in there.items() if named)
