"""Operators of container images: copy them to the target's registry by digest, compare both sides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.moved import MovedOperator, Moving

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.images.requests import ImagesRequest
    from heavylift_airflow.context import TaskFrame


class CopyImagesOperator(MovedOperator):
    """Copies the images of the spec to the target's registry by digest, with all that refers to them.

    Idempotency: what the target has is found there and not sent again, blob by blob; after a kill the next
    try sends only the rest. A tag that the target has at another digest is left, unless
    ``containers.conflict`` says overwrite. Nothing is deleted.

    :return: ``{"found", "copied", "equal", "skipped", "failed", "planned", "sent", "sent_bytes", "digest"}``.
    :raises SpecError: the spec has no section ``containers``, or no image is selected.
    :raises CredentialError: a registry refuses the credentials.
    :raises IncompleteError: an image is not proved; the first are named.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy, note it in the audit trail, and fail where an image is not proved."""
        from heavylift.images.api import copy_images

        frame = self.moving_frame(context)
        if frame.options.destroy:
            raise AirflowSkipException("a run that destroys moves no images, and takes none away")
        return self._carried(frame, copy_images, "copy of images")

    def moving(self) -> Moving:
        """Return what the library does for images."""
        from heavylift.images.api import require_all
        from heavylift.images.keeping import keep_images, note_begin

        return Moving(images_request, note_begin, keep_images, require_all)


class VerifyImagesOperator(CopyImagesOperator):
    """Compares the images of the spec on both sides through the registries' API; changes nothing.

    Idempotency: each run of the task keeps a record of its own.

    :return: as :class:`CopyImagesOperator`.
    :raises IncompleteError: an image differs, lacks a part or is missing.
    """

    writes = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, note it in the audit trail, and fail where an image differs."""
        from heavylift.images.api import verify_images

        return self._carried(self.frame(context), verify_images, "comparison of images")


def images_request(frame: TaskFrame) -> ImagesRequest:
    """Return the copy that a task's spec means, its connections looked up."""
    from heavylift.images.requests import ImagesRequest, connections_of, section_of
    from heavylift.manifests.image_names import images_of

    source, target = connections_of(frame.spec)
    wanted = section_of(frame.spec)
    named = images_of([Path(each) for each in wanted.manifests]) if wanted.manifests else None
    return ImagesRequest(frame.run, look_up(source), look_up(target), wanted, named)
