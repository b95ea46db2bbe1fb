"""What becomes of good, bad and many specs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag

from tests.dags.specs import write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder of specs that the DAG files read."""
    specs = tmp_path / "migrations"
    specs.mkdir()
    monkeypatch.setenv("HEAVYLIFT_MIGRATIONS", str(specs))
    return specs


@pytest.fixture
def parse(repository: Path) -> Any:
    """Return what parses the DAG files as the dag processor does."""
    dags = repository / "dags"
    return lambda: BundleDagBag(dag_folder=dags, bundle_path=dags, bundle_name="dags-folder")


def test_a_bad_spec_makes_no_dag_and_one_import_error_with_its_message(folder: Path, parse: Any) -> None:
    write(folder, "good")
    write(folder, "bad", datasets=[{"name": "data", "sorce": "s3://b/", "target": "gs://b/"}])
    bag = parse()
    assert set(bag.dags) == {"good.transfer", "good.sync"}
    (name,) = bag.import_errors
    assert name.endswith("spec_errors.py")
    message = bag.import_errors[name]
    for part in ("bad.yaml", "line ", "sorce", "source", "HL-8020"):
        assert part in message


def test_all_bad_specs_are_told_at_once(folder: Path, parse: Any) -> None:
    write(folder, "one", owner="")
    (folder / "two.yaml").write_text("not: [a, spec")
    (message,) = parse().import_errors.values()
    assert "one.yaml" in message
    assert "two.yaml" in message


def test_a_mended_spec_clears_the_error(folder: Path, parse: Any) -> None:
    write(folder, "good", owner="")
    assert parse().import_errors
    write(folder, "good")
    bag = parse()
    assert not bag.import_errors
    assert set(bag.dags) == {"good.transfer", "good.sync"}


def test_no_specs_make_no_dags_and_no_error(folder: Path, parse: Any) -> None:
    bag = parse()
    assert (bag.dags, bag.import_errors) == ({}, {})


def test_a_migration_without_datasets_has_no_dag_that_moves_them(folder: Path, parse: Any) -> None:
    write(folder, "empty", datasets=[])
    bag = parse()
    assert bag.dags == {}


def test_a_sync_without_a_schedule_is_started_by_hand(folder: Path, parse: Any) -> None:
    write(folder, "good", schedule={})
    assert parse().dags["good.sync"].schedule is None


def test_a_transfer_without_a_named_gate_has_the_default_one(folder: Path, parse: Any) -> None:
    write(folder, "good")
    bag = parse()
    assert "gate_transfer-verified.approve" in bag.dags["good.transfer"].task_ids
    assert not [task_id for task_id in bag.dags["good.sync"].task_ids if task_id.startswith("gate_")]


def test_a_gate_without_approval_asks_nobody(folder: Path, parse: Any) -> None:
    write(folder, "good", gates=[{"name": "g", "phase": "sync", "checks": ["counts_equal"]}])
    sync = parse().dags["good.sync"]
    assert "gate_g.approve" not in sync.task_ids
    assert sync.get_task("publish_result").upstream_task_ids == {"gate_g.wait"}


def test_the_approvers_and_the_time_come_from_the_spec(folder: Path, parse: Any) -> None:
    approval = {"required": True, "assigned_users": ["oncall"], "timeout": "2h"}
    gate = {"name": "g", "phase": "transfer", "checks": ["counts_equal"], "approval": approval}
    write(folder, "good", gates=[gate])
    task = parse().dags["good.transfer"].get_task("gate_g.approve")
    assert task.assigned_users == [{"id": "oncall", "name": "oncall"}]
    assert task.response_timeout.total_seconds() == 7200
    assert task.defaults == ["Reject"]


def test_datasets_may_be_called_like_tasks(folder: Path, parse: Any) -> None:
    names = ("begin-run", "plan", "copy", "summary", "gates")
    datasets = [
        {"name": name, "source": f"s3://bucket/{name}/", "target": f"gs://bucket/{name}/"} for name in names
    ]
    write(folder, "good", datasets=datasets)
    bag = parse()
    assert not bag.import_errors
    assert {f"{name}.copy" for name in names} <= set(bag.dags["good.transfer"].task_ids)


def test_a_hundred_migrations_make_two_hundred_dags(folder: Path, parse: Any) -> None:
    for number in range(100):
        write(folder, f"migration-{number:03}")
    write(folder, "zz-broken", owner="")
    bag = parse()
    assert len(bag.dags) == 200
    assert len(bag.import_errors) == 1


def test_a_task_builds_its_own_dag_only(folder: Path, repository: Path) -> None:
    """What a worker pays for each task must not grow with the number of migrations."""
    for number in range(3):
        write(folder, f"migration-{number}")
    seen = _in_fresh_process(
        repository,
        """
        from airflow.sdk.definitions._internal import dag_parsing_context
        parsing = dag_parsing_context._airflow_parsing_context_manager
        for dag_id in ("migration-1.transfer", "migration-1.sync"):
            with parsing(dag_id=dag_id, task_id="begin_run"):
                found = {}
                for file in ("transfer.py", "sync.py"):
                    found |= runpy.run_path(str(dags / file))
                report[dag_id] = sorted(name for name in found if "." in name)
        """,
    )
    assert seen == {dag_id: [dag_id] for dag_id in ("migration-1.transfer", "migration-1.sync")}


HEAVY = (
    "aiohttp",
    "azure.storage",
    "boto3",
    "botocore",
    "duckdb",
    "fastapi",
    "google.auth",
    "google.cloud.storage",
    "great_expectations",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
)


def test_parsing_imports_nothing_heavy(folder: Path, repository: Path) -> None:
    write(folder, "good")
    loaded = _in_fresh_process(
        repository,
        f"""
        before = set(sys.modules)
        for file in dags.glob("*.py"):
            runpy.run_path(str(file))
        new = set(sys.modules) - before
        report["heavy"] = sorted(n for n in new if any(n == h or n.startswith(h + ".") for h in {HEAVY!r}))
        report["ours"] = sorted(n for n in new if n.startswith("heavylift.objects"))
        """,
    )
    assert loaded == {"heavy": [], "ours": []}


def test_the_plugin_imports_no_web_framework(folder: Path, repository: Path) -> None:
    """Airflow runs the plugin file in every task's process."""
    loaded = _in_fresh_process(
        repository,
        f"""
        before = set(sys.modules)
        runpy.run_path(str(dags.parent / "plugins" / "heavylift_plugin.py"))
        new = set(sys.modules) - before
        report["heavy"] = sorted(n for n in new if any(n == h or n.startswith(h + ".") for h in {HEAVY!r}))
        """,
    )
    assert loaded == {"heavy": []}


def test_files_pass_the_dag_processors_safe_mode(repository: Path) -> None:
    for file in (repository / "dags").glob("*.py"):
        content = file.read_bytes().lower()
        assert b"dag" in content
        assert b"airflow" in content


def test_the_plugin_loader_leaves_the_package_alone(repository: Path) -> None:
    """It would run each module under its bare name, and ``http`` or ``mlflow`` would be replaced."""
    assert "heavylift_airflow/" in (repository / "plugins" / ".airflowignore").read_text().split()


def _in_fresh_process(repository: Path, body: str) -> Any:
    """Run ``body``, which fills ``report``, in a process that has imported nothing but Airflow."""
    script = "\n".join(
        [
            "import json, runpy, sys",
            "from pathlib import Path",
            "import airflow.sdk, airflow.plugins_manager, airflow.dag_processing.dagbag",
            f"dags, report = Path({str(repository / 'dags')!r}), {{}}",
            textwrap.dedent(body),
            "print('REPORT ' + json.dumps(report))",
        ]
    )
    paths = os.pathsep.join(str(repository / name) for name in ("include", "plugins"))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("REPORT ")]
    return json.loads(line.removeprefix("REPORT "))
