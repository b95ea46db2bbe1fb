"""What the movers are told about one dataset: limits, brake, metadata, verification.

Apart from the section of the spec that holds them (:mod:`heavylift.spec.sections_datasets`), so that a copy
from a shell need not wait for the models of what else a spec may say.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from heavylift.spec.base import Count, Flag, Number, SpecModel, wrong
from heavylift.spec.quantities import BytesPerSecond, RequestsPerSecond, Seconds, SizeBytes
from heavylift.spec.vocabulary import PosixFact, VerifyMethod, VerifyMode
from heavylift.spec.windows import WindowText

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40


def _verify(value: Any) -> Any:
    return {"mode": value} if isinstance(value, str) else value


BANDWIDTHS = (KIB, TIB)
MEMORY_BUDGETS = (64 * MIB, TIB)
PART_SIZES = (5 * MIB, 5 * GIB)
STALL_TIMEOUTS = (1, 3600)
"""What limits may be at least and at most: in a spec, and on a command line."""


class Limits(SpecModel):
    """Limits with every default filled in, as the movers take them."""

    max_bandwidth: BytesPerSecond | None = None
    max_requests: RequestsPerSecond | None = None
    max_tasks: Count | None = None
    windows: tuple[WindowText, ...] = ()
    max_concurrency: Count = 64
    shard_objects: Count = 10_000
    shard_size: SizeBytes = 10 * GIB
    part_size: SizeBytes = 16 * MIB
    memory_budget: SizeBytes = 128 * MIB
    stall_timeout: Seconds = 60


class DeleteBrake(SpecModel):
    """When a sync refuses to delete, because so much has gone that a mistake is likelier than intent."""

    max_share: Number = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Most of the dataset's objects that may go in one run, as a share of 1.",
    )
    free: Count = Field(
        default=100,
        ge=0,
        le=1_000_000_000,
        description="So many objects may go in one run whatever their share, but no more than half of them.",
    )
    empty_source: Flag = Field(
        default=False, description="Whether a source without any object may empty the target."
    )


class Metadata(SpecModel):
    """What travels with an object's bytes."""

    content_headers: Flag = Field(
        default=True, description="Keep content type, encoding, language, disposition and cache control."
    )
    user_metadata: Flag = Field(
        default=True, description="Keep the user's own metadata (x-amz-meta-* and alike)."
    )
    tags: Flag = Field(default=True, description="Keep object tags, where both stores have them.")
    posix: tuple[PosixFact, ...] = Field(
        default=(),
        description="What of files travels as user metadata (mtime, mode, uid, gid, as rclone has them), and"
        " is set on files that are written: their time, mode, owner and group.",
    )
    look_at_all: Flag = Field(
        default=False,
        description="Let the plan look at the attributes of every object that is to be copied, not of 300:"
        " one more request each, and one for its tags.",
    )

    @model_validator(mode="after")
    def _posix_fits(self) -> Metadata:
        if self.posix and not self.user_metadata:
            raise wrong("contradiction", "user_metadata: true", got="posix, which travels as user metadata")
        return self


class Sample(SpecModel):
    """A random sample of the objects, drawn so that it can be drawn again."""

    objects: Count = Field(default=1000, ge=1, le=100_000_000, description="How many objects are verified.")
    confidence: Number = Field(
        default=0.99, gt=0.5, lt=1.0, description="Confidence of the bound on wrong objects that is stated."
    )
    seed: Count = Field(default=0, ge=0, le=2**63 - 1, description="Seed of the draw.")


class Verify(SpecModel):
    """How what was moved is proved."""

    mode: VerifyMode = Field(
        default=VerifyMode.FULL, description="full: every object; sample: some, with a bound."
    )
    method: VerifyMethod = Field(
        default=VerifyMethod.PROVIDER,
        description="provider: the target's own checksum, read back where it has none; read_back: always.",
    )
    sample: Sample | None = Field(default=None, description="The sample; only with mode: sample.")
    rolling: Count = Field(
        default=16,
        ge=0,
        le=4096,
        description="A sync checks one of so many slices of the keys afresh in each run, and trusts what was"
        " proved before of the others. 1: everything each time; 0: nothing.",
    )
    all_attributes: Flag = Field(
        default=False,
        description="Compare headers, metadata and tags of every object, not of 300 that moved; a sync those"
        " of the slice whose turn it is (rolling), and copies again what differs. Up to four requests each.",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_sample(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("mode") == VerifyMode.SAMPLE and data.get("sample") is None:
            return {**data, "sample": {}}
        return data

    @model_validator(mode="after")
    def _sample_fits(self) -> Verify:
        if self.mode is VerifyMode.FULL and self.sample is not None:
            raise wrong(
                "contradiction", "no sample, or mode: sample", got="a sample together with mode: full"
            )
        return self


VerifyField = Annotated[
    Verify, BeforeValidator(_verify, json_schema_input_type=Literal["full", "sample"] | Verify)
]
