"""Operators of training jobs and autoscaling: translate, compare, keep the evidence; none asks a platform."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.scaling_records import ScalingRecord
    from heavylift.evidence.training_records import TrainingRecord
    from heavylift_airflow.context import TaskFrame


class TranslateTrainingOperator(HeavyliftOperator):
    """Translates one distributed training job for the target, and keeps definition and record.

    SageMaker's and Vertex AI's definitions are held to what these publish; those of Azure ML and Kubernetes
    are not: ``heavylift training check`` does it with packages of their own.

    Idempotency: each run of the task keeps a record of its own; the same definition and map give the same
    digest, and its definition is kept once. On failure: what blocks is in the record, and no definition is
    kept.

    :param definition: the source's definition. (templated)
    :param form: the target's: ``sagemaker``, ``vertex``, ``azureml`` or ``kubernetes``.
    :param cluster: of ``kubernetes``: ``eks``, ``gke``, ``aks`` or ``plain``.
    :param kind: of ``kubernetes``: ``auto``, ``pytorchjob``, ``mpijob``, ``job`` or ``jobset``.
    :param source_cluster: whose machines a Kubernetes job has today.
    :param map_path: addresses, images, identities, machines on the target. (templated)
    :param rehearse: run both launchers as processes of the worker; for jobs that torchrun starts.
    :return: ``{"name", "digest", "changes", "losses", "needs", "blocks", "world", "exact", "passed"}``.
    :raises IncompleteError: something blocks.
    :raises SpecError: the definition or map cannot be used.
    :raises NotFoundError: a file cannot be read.
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "definition", "map_path")

    # Airflow finds the arguments of a mapped operator in the operators' own __init__ only.
    def __init__(
        self,
        *,
        spec_path: str,
        phase: str,
        definition: str,
        form: str,
        cluster: str | None = None,
        kind: str = "auto",
        source_cluster: str | None = None,
        map_path: str | None = None,
        rehearse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.definition = definition
        self.form = form
        self.cluster = cluster
        self.kind = kind
        self.source_cluster = source_cluster
        self.map_path = map_path
        self.rehearse = rehearse

    def execute(self, context: Context) -> dict[str, Any]:
        """Translate, keep the evidence, and fail where something blocks."""
        from heavylift.training.keeping import require_translated

        frame = self.frame(context)
        record = self.work.run(self._kept(frame), f"translation of the training job {self.definition}")
        for each in record.blocks:
            self.log.warning("%s: %s. To fix: %s", each.subject, each.what, each.remedy)
        found = {
            "name": record.name,
            "digest": record.digest,
            **record.counts,
            "world": record.target.world,
            "exact": record.exact,
            "passed": record.passed,
        }
        self.log.info("%s", found)
        require_translated(record)
        return found

    async def _kept(self, frame: TaskFrame) -> TrainingRecord:
        import asyncio

        from heavylift.training.checking import check_text
        from heavylift.training.keeping import keep_training, record_of
        from heavylift.training.mapping import read_map
        from heavylift.training.model import Cluster
        from heavylift.training.rehearse import rehearse
        from heavylift.training.targets import target_of
        from heavylift.training.translate import translate

        target = target_of(self.form, self.cluster, self.kind)
        mapping = read_map(Path(self.map_path) if self.map_path else None)
        today = Cluster(self.source_cluster) if self.source_cluster in set(Cluster) else None
        made = translate(Path(self.definition), target, mapping, today)
        equal = None
        if self.rehearse and made.passed:
            equal = (await asyncio.to_thread(rehearse, made.source, made.target, made.text)).equal
        # The worker has what SageMaker's and Vertex AI's forms are checked with.
        wrong = check_text(made.text, target.form, Path(sys.executable)) if made.passed else None
        async with self.evidence(frame) as store:
            attempt = {"attempt": frame.attempt, "run_started_by": frame.actor}
            record = record_of(made, frame.run, checked=wrong, rehearsed=equal)
            record, ref = await keep_training(store, made, record, frame.task_actor, attempt)
            self.evidence_path = ref.path
        return record


class CompareScalingOperator(HeavyliftOperator):
    """Translates autoscaling settings, simulates both sides at one load, and keeps settings and record.

    Idempotency: each run of the task keeps a record of its own; simulations have no chance in them: the same
    files give the same figures. On failure: the record tells settings that would be safe, if some were found.

    :param definition: the source's settings. (templated)
    :param system: the target's: ``aws``, ``hpa``, ``keda``, ``vertex`` or ``azure``.
    :param load_path: requests of each minute, as JSON list or CSV. (templated)
    :param capacity: requests a minute that one replica works off.
    :param start_seconds: until a new replica works.
    :param waiting: requests that may wait for each replica.
    :param excess: share of instance minutes that the target may cost more; more is told, and is no failure.
    :return: ``{"name", "digest", "verdict", "advice", "instance_minutes", "minutes_above", "passed"}``.
    :raises IncompleteError: the target is less safe than the source, or cannot hold what the source has.
    :raises SpecError: settings or load cannot be used.
    :raises NotFoundError: a file cannot be read.
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "definition", "load_path")

    # Airflow finds the arguments of a mapped operator in the operators' own __init__ only.
    def __init__(
        self,
        *,
        spec_path: str,
        phase: str,
        definition: str,
        system: str,
        load_path: str,
        capacity: float,
        start_seconds: int = 180,
        waiting: float = 100.0,
        excess: float = 0.10,
        **kwargs: Any,
    ) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.definition = definition
        self.system = system
        self.load_path = load_path
        self.capacity = capacity
        self.start_seconds = start_seconds
        self.waiting = waiting
        self.excess = excess

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, keep the evidence, and fail where the target is less safe."""
        from heavylift.autoscaling.keeping import require_safe

        frame = self.frame(context)
        record = self.work.run(self._kept(frame), f"comparison of the autoscaling {self.definition}")
        found = {
            "name": record.name,
            "digest": record.digest,
            "verdict": record.word,
            "advice": list(record.advice.changes),
            "instance_minutes": [record.source.instance_minutes, record.target.instance_minutes],
            "minutes_above": [record.source.minutes_above, record.target.minutes_above],
            "passed": record.passed,
        }
        self.log.info("%s", found)
        require_safe(record)
        return found

    async def _kept(self, frame: TaskFrame) -> ScalingRecord:
        import asyncio

        from heavylift.autoscaling.compare import Tolerance, compare
        from heavylift.autoscaling.keeping import keep_scaling, record_of
        from heavylift.autoscaling.load import read_load
        from heavylift.autoscaling.simulate import World
        from heavylift.autoscaling.translate import system_of, translate

        made = translate(Path(self.definition), system_of(self.system))
        load = read_load(Path(self.load_path))
        world, tolerance = (
            World(self.capacity, self.start_seconds, self.waiting),
            Tolerance(excess=self.excess),
        )
        found = await asyncio.to_thread(compare, made.source, made.target, load, world, tolerance)
        async with self.evidence(frame) as store:
            attempt = {"attempt": frame.attempt, "run_started_by": frame.actor}
            record = record_of(made, found, load, world, tolerance, frame.run)
            record, ref = await keep_scaling(store, made, record, frame.task_actor, attempt)
            self.evidence_path = ref.path
        return record
