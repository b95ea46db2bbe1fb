"""Operators of training jobs and autoscaling: files for people to apply, tried here, and nothing applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift_airflow.operators.parts import TranslateOperator, no_section

if TYPE_CHECKING:
    import threading

    from heavylift.evidence.part_evidence import Made
    from heavylift_airflow.context import TaskFrame


class TranslateTrainingOperator(TranslateOperator):
    """Translates the distributed training jobs of the spec, checks each by what its target publishes, and
    runs both launchers on the worker to compare the place of every process.

    No job is started on a platform: the definitions lie in the evidence, for whoever does.

    Idempotency: the same definitions give the same digest; a second run adds one more record.

    :return: ``{"digest", "unchanged", "files", "definitions", "changes", "with_loss", "needs", "rehearsed",
        "untranslated", "open_untranslated", "invalid"}``.
    :raises NotFoundError: a definition or a map is missing.
    :raises SpecError: one cannot be read, or lies outside of the spec's folder.
    """

    def make(self, frame: TaskFrame, stop: threading.Event) -> Made:
        """Translate the section ``training``."""
        # The schemas of Kubernetes belong to another capability, which the library must not see.
        from heavylift.manifests.checking import problems_in
        from heavylift.training.part import TrainingRequest, make_training

        if not frame.spec.training:
            raise no_section(frame, "training")
        request = TrainingRequest(self.spec_path, frame.spec.training, problems_in)
        return make_training(request, stop)


class TranslateAutoscalingOperator(TranslateOperator):
    """Translates the autoscaling settings of the spec, and simulates both sides at one load.

    Nothing is set on a platform: the settings lie in the evidence, for whoever does.

    Idempotency: there is no chance in a simulation: the same files give the same digest; a second run adds
    one more record.

    :return: ``{"digest", "unchanged", "files", "policies", "equivalent", "dearer", "with_loss",
        "untranslated", "open_untranslated", "invalid"}``.
    :raises NotFoundError: settings or a load are missing.
    :raises SpecError: one cannot be used, or lies outside of the spec's folder.
    """

    def make(self, frame: TaskFrame, stop: threading.Event) -> Made:
        """Translate the section ``autoscaling``."""
        from heavylift.autoscaling.part import ScalingRequest, make_autoscaling

        if not frame.spec.autoscaling:
            raise no_section(frame, "autoscaling")
        return make_autoscaling(ScalingRequest(self.spec_path, frame.spec.autoscaling), stop)
