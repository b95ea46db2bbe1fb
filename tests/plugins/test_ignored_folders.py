"""What the loaders of Airflow execute: the one plugin file, the DAG files, and nothing else."""

from __future__ import annotations

from pathlib import Path

from airflow._shared.module_loading.file_discovery import find_path_from_directory


def executed(folder: Path) -> list[str]:
    """Return the Python files below *folder* that Airflow's loaders pick, as they pick them."""
    found = find_path_from_directory(folder, ".airflowignore", "glob")
    return sorted(Path(path).relative_to(folder).as_posix() for path in found if path.endswith(".py"))


def test_the_plugin_loader_executes_one_file(repository: Path) -> None:
    assert executed(repository / "plugins") == ["heavylift_plugin.py"]


def test_the_rule_is_what_keeps_the_package_out(repository: Path, tmp_path: Path) -> None:
    package = tmp_path / "heavylift_airflow" / "hooks"
    package.mkdir(parents=True)
    (package / "http.py").touch()
    assert executed(tmp_path) == ["heavylift_airflow/hooks/http.py"]
    (tmp_path / ".airflowignore").write_text((repository / "plugins" / ".airflowignore").read_text())
    assert executed(tmp_path) == []


def test_every_file_in_the_dags_folder_is_a_dag_file(repository: Path) -> None:
    picked = executed(repository / "dags")
    assert picked
    assert all("/" not in name for name in picked)


def test_neither_library_nor_specs_are_parsed_for_dags(repository: Path) -> None:
    assert executed(repository / "include") == []
