"""The first steps of a new user, in a real browser: an empty Airflow, then a migration that is proved."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.spec import load_spec
from sandbox import first_steps
from sandbox.browser import open_browser
from sandbox.demo_rclone import check_all
from sandbox.stack import Stack

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Path]]:
    """Return two clouds and an Airflow without a migration, and the folder in which its specs will be."""
    folder = Path(tempfile.mkdtemp(prefix="heavylift-first-"))
    folder.chmod(0o711)
    specs = folder / "migrations"
    specs.mkdir()
    stack = Stack.start(
        folder / "state",
        first_steps.SERVERS,
        airflow=True,
        airflow_settings={"HEAVYLIFT_MIGRATIONS": str(specs)},
    )
    try:
        yield stack, specs
    finally:
        stack.stop()
        shutil.rmtree(folder)


def test_a_new_user_gets_from_an_empty_airflow_to_a_proved_migration(
    empty: tuple[Stack, Path], tmp_path: Path
) -> None:
    stack, specs = empty
    assert stack.airflow_url is not None
    assert stack.airflow_login is not None
    first_steps.seed(stack.env)
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        first_steps.log_in(page, stack.airflow_url, *stack.airflow_login)
        first_steps.walk(
            page, stack.airflow_url, specs, lambda name: page.screenshot(path=tmp_path / f"{name}.png")
        )
        assert wrong == []
    assert {each.stem for each in tmp_path.glob("first-*.png")} >= {"first-1-empty", "first-6-proved"}
    # By a tool that shares no code with any of it.
    (result,) = check_all(load_spec(specs / "papers.yaml"), stack.env)
    assert result.equal, result.summary
    assert result.matching == first_steps.OBJECTS
