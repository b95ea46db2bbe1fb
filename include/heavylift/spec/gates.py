"""The ``gates`` section: what must be proved, and who must agree, before a phase may go on."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from heavylift.spec.base import Flag, Name, SpecModel, Text, wrong
from heavylift.spec.provision_parts import Part
from heavylift.spec.quantities import Seconds
from heavylift.spec.vocabulary import Check, Phase

MINUTE, HOUR, DAY = 60, 3600, 86_400


def _check_user(value: str) -> str:
    if not value.strip() or len(value) > 256:
        raise wrong("user", "the id that Airflow's auth manager gives the user")
    return value


UserId = Annotated[str, AfterValidator(_check_user)]


class Approval(SpecModel):
    """A person's agreement, given in the Airflow UI and kept in the audit trail."""

    required: Flag = Field(default=True, description="Whether a person must approve.")
    assigned_users: tuple[UserId, ...] = Field(
        default=(),
        description="Who may approve, by the auth manager's user id; anyone permitted where empty.",
    )
    timeout: Seconds = Field(
        default=7 * DAY,
        ge=MINUTE,
        le=90 * DAY,
        description="How long the gate waits, then counts as rejected.",
    )

    @model_validator(mode="after")
    def _users_are_asked(self) -> Approval:
        if self.assigned_users and not self.required:
            raise wrong(
                "contradiction",
                "no assigned_users, or required: true",
                got="assigned_users together with required: false",
            )
        return self


class Gate(SpecModel):
    """A named set of checks at the end of a phase; its result is evidence."""

    name: Name = Field(description="Unique in this file; the gate's task, sensor and evidence carry it.")
    phase: Phase = Field(description="The phase that ends with this gate.")
    description: Text = Field(default="", description="For the person who is asked to approve.")
    checks: tuple[Check, ...] = Field(min_length=1, description="All of these must hold.")
    approval: Approval = Field(
        default=Approval(required=False), description="Whether a person must also agree; not where left out."
    )
    max_age: Seconds = Field(
        default=DAY,
        ge=MINUTE,
        le=365 * DAY,
        description="How old a result may be when a later phase asks for it; a stale one does not count.",
    )


DEFAULT_TRANSFER_GATE = Gate(
    name="transfer-verified",
    phase=Phase.TRANSFER,
    description="Everything that the source had is on the target, proved object by object and row by row.",
    checks=(Check.COUNTS_EQUAL, Check.CHECKSUMS_EQUAL, Check.NO_FINDINGS),
    approval=Approval(required=True),
)
"""The gate of the transfer phase where the spec names none."""


def default_transfer_gate(*, envelopes: bool) -> Gate:
    """Return the default gate of the transfer phase, for a spec with envelopes or without."""
    if not envelopes:
        return DEFAULT_TRANSFER_GATE
    checks = (*DEFAULT_TRANSFER_GATE.checks, Check.ENVELOPES_VERIFIED)
    description = f"{DEFAULT_TRANSFER_GATE.description} Every envelope was opened again to prove it."
    return DEFAULT_TRANSFER_GATE.model_copy(update={"checks": checks, "description": description})


DEFAULT_REGISTRY_GATE = Gate(
    name="registry-verified",
    phase=Phase.REGISTRY,
    description="Both servers hold the same history, read field by field through their public interface.",
    checks=(Check.REGISTRIES_EQUAL,),
)
"""The gate of the registry phase where the spec names none; it runs on a schedule, and asks nobody."""

_FEATURES_TOO = "Registries and feature stores are equal on both sides, read afresh."


def default_registry_gate(*, registries: bool, feature_stores: bool) -> Gate:
    """Return the default gate of the registry phase for what a spec moves in it."""
    if not feature_stores:
        return DEFAULT_REGISTRY_GATE
    checks = ((Check.REGISTRIES_EQUAL,) if registries else ()) + (Check.FEATURES_EQUAL,)
    return DEFAULT_REGISTRY_GATE.model_copy(update={"checks": checks, "description": _FEATURES_TOO})


DEFAULT_REVALIDATE_GATE = Gate(
    name="models-revalidated",
    phase=Phase.REVALIDATE,
    description="Every model fits the target, and answers there as on the source.",
    checks=(Check.MODELS_COMPATIBLE, Check.MODELS_AGREE),
)
"""The gate of the revalidate phase where the spec names none."""

DEFAULT_ASSESS_GATE = Gate(
    name="plan-approved",
    phase=Phase.ASSESS,
    description="Everything is listed and accounted for, nothing unaccepted stands in the way, and somebody"
    " has agreed to exactly this plan.",
    checks=(
        Check.INVENTORY_COMPLETE,
        Check.REFERENCES_EXPLAINED,
        Check.BLOCKERS_ACCEPTED,
        Check.DEADLINE_KEPT,
        Check.BASELINES_MEASURED,
    ),
    approval=Approval(required=True),
    max_age=30 * DAY,
)
"""The gate of the assess phase where the spec names none; a plan that is a month old is made anew."""

DEFAULT_PROVISION_GATE = Gate(
    name="infrastructure-approved",
    phase=Phase.PROVISION,
    description="The files come from an approved plan, no policy fails, nothing is left out unaccepted, and"
    " somebody has agreed to exactly what terraform would do.",
    checks=(Check.PLAN_APPROVED, Check.INFRA_SCANNED, Check.INFRA_PLANNED),
    approval=Approval(required=True),
    max_age=7 * DAY,
)
"""The gate of the provision phase where the spec names none; each stage of a run passes it anew."""

DEFAULT_CUTOVER_GATE = Gate(
    name="cutover-approved",
    phase=Phase.CUTOVER,
    description="Every earlier phase is proved and fresh, changes keep up, both ways are rehearsed, and"
    " somebody has agreed to switch now.",
    checks=(Check.CUTOVER_READY,),
    approval=Approval(required=True),
    max_age=HOUR,
)
"""The gate of the cutover phase where the spec names none; what it saw an hour ago does not count."""

DEFAULT_OPTIMIZE_GATE = Gate(
    name="changes-approved",
    phase=Phase.OPTIMIZE,
    description="Everything that the spec names was measured or reckoned in this run, and somebody has agreed"
    " to exactly the changes that are proposed of it.",
    checks=(Check.CHANGES_PROPOSED,),
    approval=Approval(required=True),
    max_age=7 * DAY,
)
"""The gate of the optimize phase where the spec names none; nothing is changed by opening it."""
DEFAULT_DECOMMISSION_PLAN_GATE = Gate(
    name="decommission-planned",
    phase=Phase.DECOMMISSION,
    description="Nobody uses the source any more, and somebody has agreed to exactly this list of what will"
    " be made unusable, and then deleted.",
    checks=(Check.SOURCE_UNUSED,),
    approval=Approval(required=True),
    max_age=HOUR,
)
"""The first gate of the decommission phase where the spec names none."""

DEFAULT_DELETION_GATE = Gate(
    name="decommission-deletion",
    phase=Phase.DECOMMISSION,
    description="The time of grace is over, nobody has missed anything, nothing has changed, and somebody has"
    " agreed to delete what the plan lists, for good.",
    checks=(Check.GRACE_OVER,),
    approval=Approval(required=True),
    max_age=HOUR,
)
"""The second gate of the decommission phase where the spec names none."""

DEFAULT_SECRETS_GATE = Gate(
    name="secrets-equal",
    phase=Phase.PROVISION,
    description="Every secret that moves is on the target, and equal there.",
    checks=(Check.SECRETS_EQUAL,),
)
"""The gate of a spec with secrets that names none of its own for them; it follows their move."""

DEFAULT_PART_GATES = {
    Part.SECRETS: DEFAULT_SECRETS_GATE,
    Part.IMAGES: Gate(
        name="images-equal",
        phase=Phase.PROVISION,
        description="Every image that moves is on the target with all that belongs to it, by its digests.",
        checks=(Check.IMAGES_EQUAL,),
    ),
    Part.PIPELINES: Gate(
        name="pipelines-translated",
        phase=Phase.PROVISION,
        description="Every step has its equivalent or is accepted, and the target's own loader takes it.",
        checks=(Check.PIPELINES_TRANSLATED, Check.PIPELINES_VALID),
        max_age=7 * DAY,
    ),
    Part.ACCESS: Gate(
        name="access-reviewed",
        phase=Phase.PROVISION,
        description="Nobody gets more than before, what does not come along is accepted, and somebody has"
        " read exactly these documents before they are applied.",
        checks=(Check.ACCESS_TRANSLATED, Check.ACCESS_NOT_WIDENED),
        approval=Approval(required=True),
        max_age=7 * DAY,
    ),
    Part.TARGET_ACCESS: Gate(
        name="access-equal",
        phase=Phase.PROVISION,
        description="The target's own permissions are those that were translated, and answer alike.",
        checks=(Check.ACCESS_MATRIX_EQUAL,),
        max_age=7 * DAY,
    ),
    Part.MANIFESTS: Gate(
        name="manifests-translated",
        phase=Phase.PROVISION,
        description="Everything is rewritten or accepted, and the target's version of Kubernetes takes it.",
        checks=(Check.MANIFESTS_TRANSLATED, Check.MANIFESTS_VALID),
        max_age=7 * DAY,
    ),
    Part.VOLUMES: Gate(
        name="volumes-moved",
        phase=Phase.PROVISION,
        description="What each claim holds is on the target, proved by both copies' own evidence.",
        checks=(Check.VOLUMES_MOVED,),
        max_age=7 * DAY,
    ),
    Part.TRAINING: Gate(
        name="training-translated",
        phase=Phase.PROVISION,
        description="Nothing is in the way of any job, or it is accepted; the target's published form takes"
        " each, and its launcher gives every process the place that it had.",
        checks=(Check.TRAINING_TRANSLATED, Check.TRAINING_VALID),
        max_age=7 * DAY,
    ),
    Part.AUTOSCALING: Gate(
        name="autoscaling-safe",
        phase=Phase.PROVISION,
        description="At the same load the target has replicas enough wherever the source has.",
        checks=(Check.AUTOSCALING_TRANSLATED, Check.AUTOSCALING_SAFE),
        max_age=7 * DAY,
    ),
    Part.ALERTS: Gate(
        name="alerts-equal",
        phase=Phase.PROVISION,
        description="Every alert has its counterpart or is accepted, and fires and ceases as it did.",
        checks=(Check.ALERTS_TRANSLATED, Check.ALERTS_EQUAL),
        max_age=7 * DAY,
    ),
    Part.ENDPOINTS: Gate(
        name="endpoints-reviewed",
        phase=Phase.PROVISION,
        description="Nothing of somebody else's is in the way, what stays behind is accepted, and somebody"
        " has read exactly what is about to be made.",
        checks=(Check.ENDPOINTS_PLANNED,),
        approval=Approval(required=True),
        max_age=7 * DAY,
    ),
    Part.SERVING: Gate(
        name="endpoints-serving",
        phase=Phase.PROVISION,
        description="Every endpoint is as planned, ready, and answers its golden row where it has one.",
        checks=(Check.ENDPOINTS_SERVING,),
    ),
    Part.ENDPOINTS_REMOVAL: Gate(
        name="endpoints-removal",
        phase=Phase.PROVISION,
        description="Somebody has read exactly what a run that destroys is about to take away.",
        checks=(Check.ENDPOINTS_REMOVAL_PLANNED,),
        approval=Approval(required=True),
    ),
}
"""The gates of parts of the phase provision where the spec names none for them."""

DEFAULT_GATES = {
    gate.phase: (gate,)
    for gate in (
        DEFAULT_ASSESS_GATE,
        DEFAULT_PROVISION_GATE,
        DEFAULT_TRANSFER_GATE,
        DEFAULT_REGISTRY_GATE,
        DEFAULT_REVALIDATE_GATE,
        DEFAULT_CUTOVER_GATE,
        DEFAULT_OPTIMIZE_GATE,
    )
} | {Phase.DECOMMISSION: (DEFAULT_DECOMMISSION_PLAN_GATE, DEFAULT_DELETION_GATE)}
"""The gates of phases where a spec names none; other phases then have none."""
