"""The loaders of kfp and azure-ai-ml take what is written, and refuse what is wrong.

Both are installed by uv into environments of their own, from the index of packages or uv's cache.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from heavylift.environments import Solver
from heavylift.pipelines.api import translate
from heavylift.pipelines.checking import REQUIREMENTS, SOURCES, check
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import System
from tests.support.layers import TESTS

DEFINITIONS = TESTS / "unit" / "pipelines" / "definitions"


@pytest.mark.long
@pytest.mark.parametrize("target", [System.VERTEX, System.AZURE_ML])
def test_the_platforms_loader_takes_every_translation(target: System, tmp_path: Path) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = Solver(sources=SOURCES).tool(REQUIREMENTS[target], python)
    sources = sorted(DEFINITIONS.iterdir())
    assert len(sources) == 5
    for source in sources:
        file = tmp_path / f"{source.stem}.yaml"
        file.write_text(translate(source, None, target, TargetMap()).text)
        assert check(file, target, interpreter).problem == "", source.name
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(file.read_text().replace("inputs:", "unknown_field:"))
    assert check(wrong, target, interpreter).problem
