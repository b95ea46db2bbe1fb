"""The integration layer: real servers, started once for the whole run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack import Stack

# Tests that need MLflow ask for it: it takes longer to start than all the others together.
CORE = (
    "aws_source",
    "aws_target",
    "gcp_target",
    "azure_target",
    "aws_control",
    "features_source",
    "features_target",
)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Stack]:
    """Return a running sandbox with ``.env``, ``.endpoints`` and ``.ensure("mlflow_source", …)``.

    It is a new one on free ports that ends with the run, or, where HEAVYLIFT_SANDBOX_STATE names
    one's folder, that one, which is left running.
    """
    given = os.environ.get("HEAVYLIFT_SANDBOX_STATE")
    if given:
        yield Stack.start(Path(given), CORE, detached=True)
        return
    folder = new_state_dir()
    stack = Stack.start(folder, CORE)
    try:
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder)


def new_state_dir() -> Path:
    """Return an empty folder that the database's own user can enter too."""
    folder = Path(tempfile.mkdtemp(prefix="heavylift-sandbox-"))
    folder.chmod(0o711)
    return folder
