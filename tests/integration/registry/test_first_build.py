"""The first making of MLflow's tables in a sandbox, cut off: the store has all of its tables or none."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from sandbox import state
from sandbox.servers import mlflow, postgres
from sandbox.stack import Stack

NAME = "first_build"


def tables(address: str) -> list[str]:
    with psycopg.connect(address) as session:
        rows = session.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall()
    return [str(row[0]) for row in rows]


def test_a_build_that_was_cut_off_begins_afresh(
    store_sandbox: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = state.load(store_sandbox.state_dir).place("mlflow_source_db", store_sandbox.state_dir)
    address = postgres.address(place, NAME)
    monkeypatch.setattr(mlflow, "TOOLS_DIR", tmp_path)

    def cut_off(build: str) -> None:
        with psycopg.connect(build) as session:
            session.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
            session.execute("INSERT INTO alembic_version VALUES ('half way')")
        raise KeyboardInterrupt

    def whole(build: str) -> None:
        assert tables(build) == []
        with psycopg.connect(build) as session:
            session.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
            session.execute("CREATE TABLE experiments (id int PRIMARY KEY)")

    with psycopg.connect(postgres.address(place, "postgres"), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {NAME}".encode())
        try:
            monkeypatch.setattr(mlflow, "_build_tables", cut_off)
            with pytest.raises(KeyboardInterrupt):
                mlflow._make_tables(place, address)
            assert tables(address) == []
            monkeypatch.setattr(mlflow, "_build_tables", whole)
            mlflow._make_tables(place, address)
            assert sorted(tables(address)) == ["alembic_version", "experiments"]
            mlflow._make_tables(place, address)
        finally:
            session.execute(f"DROP DATABASE {NAME} WITH (FORCE)".encode())
