"""The files of a comparison: report, picture, settings, and those that are advised."""

from __future__ import annotations

from collections.abc import Sequence

from heavylift.autoscaling.compare import Comparison
from heavylift.autoscaling.model import System
from heavylift.autoscaling.picture import svg_picture
from heavylift.autoscaling.told import comparison_markdown
from heavylift.autoscaling.translate import Translation, write

SUFFIX = {
    System.AWS: "aws.json",
    System.HPA: "hpa.yaml",
    System.KEDA: "keda.yaml",
    System.VERTEX: "vertex.json",
    System.AZURE: "azure.json",
}
"""How a file with a system's settings ends."""


def files_of(made: Translation, found: Comparison, load: Sequence[float], stem: str) -> dict[str, str]:
    """Return the texts by the names of their files.

    :param stem: how all names begin.
    """
    suffix = SUFFIX[made.target.system]
    names = (str(made.source.system), str(made.target.system))
    texts = {
        f"{stem}.{suffix}": made.text,
        f"{stem}.{made.target.system}.md": comparison_markdown(made, found, load),
        f"{stem}.{made.target.system}.svg": svg_picture(load, found.source, found.target, names),
    }
    if found.advice.changes and found.advice.policy is not None:
        texts[f"{stem}.advised.{suffix}"] = write(found.advice.policy)[0]
    return texts
