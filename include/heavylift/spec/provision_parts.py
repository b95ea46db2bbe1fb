"""What the phase provision is made of: the infrastructure, and parts that stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from heavylift.spec.vocabulary import Check

if TYPE_CHECKING:
    from heavylift.spec.gates import Gate


class Part(StrEnum):
    """Something that the phase provision makes, in the order in which it tells of it."""

    INFRASTRUCTURE = "infrastructure"
    SECRETS = "secrets"
    IMAGES = "images"
    PIPELINES = "pipelines"
    ACCESS = "access"
    TARGET_ACCESS = "target_access"
    MANIFESTS = "manifests"
    VOLUMES = "volumes"
    TRAINING = "training"
    AUTOSCALING = "autoscaling"
    ALERTS = "alerts"
    ENDPOINTS = "endpoints"
    SERVING = "serving"
    ENDPOINTS_REMOVAL = "endpoints_removal"


TRANSLATED = (
    Part.PIPELINES, Part.ACCESS, Part.MANIFESTS, Part.VOLUMES, Part.TRAINING, Part.AUTOSCALING, Part.ALERTS,
)  # fmt: skip
"""Parts whose result is files that somebody else applies."""

PART_CHECKS: Mapping[Check, Part] = MappingProxyType(
    {
        Check.SECRETS_EQUAL: Part.SECRETS,
        Check.IMAGES_EQUAL: Part.IMAGES,
        Check.PIPELINES_TRANSLATED: Part.PIPELINES,
        Check.PIPELINES_VALID: Part.PIPELINES,
        Check.ACCESS_TRANSLATED: Part.ACCESS,
        Check.ACCESS_NOT_WIDENED: Part.ACCESS,
        Check.ACCESS_MATRIX_EQUAL: Part.TARGET_ACCESS,
        Check.MANIFESTS_TRANSLATED: Part.MANIFESTS,
        Check.MANIFESTS_VALID: Part.MANIFESTS,
        Check.VOLUMES_MOVED: Part.VOLUMES,
        Check.TRAINING_TRANSLATED: Part.TRAINING,
        Check.TRAINING_VALID: Part.TRAINING,
        Check.AUTOSCALING_TRANSLATED: Part.AUTOSCALING,
        Check.AUTOSCALING_SAFE: Part.AUTOSCALING,
        Check.ALERTS_TRANSLATED: Part.ALERTS,
        Check.ALERTS_EQUAL: Part.ALERTS,
        Check.ENDPOINTS_PLANNED: Part.ENDPOINTS,
        Check.ENDPOINTS_SERVING: Part.SERVING,
        Check.ENDPOINTS_REMOVAL_PLANNED: Part.ENDPOINTS_REMOVAL,
    }
)
"""Check → the part that it judges; all others of the phase judge a stage of the infrastructure."""


def part_of(gate: Gate) -> Part | None:
    """Return the part that a gate judges, and no stage; None of a gate of the infrastructure."""
    return next((PART_CHECKS[check] for check in gate.checks if check in PART_CHECKS), None)
