"""One database server is one server on the target, whatever the inventory tells of what is in it."""

from __future__ import annotations

import pytest

from heavylift.infra.generate import generate
from heavylift.infra.things import Thing, Wanted
from heavylift.infra.within import part_of_something

INSTANCE = "arn:aws:rds:eu-west-1:111122223333:db:features"
HOME = "postgresql://db.internal:5432"


@pytest.mark.parametrize(
    ("id", "native_type", "needs", "told"),
    [
        (INSTANCE, "AWS::RDS::DBInstance", {HOME}, ""),
        (HOME, "PostgreSQL::Server", set(), ""),
        (HOME, "PostgreSQL::Server", {INSTANCE}, f"its platform lists it as {INSTANCE}"),
        (f"{HOME}/shop", "", {HOME}, "inside a server"),
        (f"{HOME}/shop/public/orders", "PostgreSQL::Table", {f"{HOME}/shop/public"}, "inside a server"),
        ("kafka://k:9092/topics/orders", "Kafka::Topic", {"kafka://k:9092"}, "inside a server"),
        ("mlflow://m:80/models/churn/3", "MLflow::ModelVersion", set(), "inside a server"),
        ("file:///data/train", "Files::Folder", set(), "inside a server"),
        ("kubernetes://c/apps/Deployment/a/b", "Kubernetes::Deployment", set(), "object of a cluster"),
        ("//storage.googleapis.com/raw", "GCP::Storage::Bucket", set(), ""),
    ],
)
def test_what_is_part_of_something_is_told(id: str, native_type: str, needs: set[str], told: str) -> None:
    found = part_of_something(id, native_type, needs)
    assert (found is not None) == bool(told)
    assert found is None or (told in found[0] and found[1])


@pytest.mark.parametrize("target", ["gcp", "azure", "aws"])
def test_a_server_with_its_databases_and_tables_is_made_once(target: str) -> None:
    parts = {INSTANCE: set[str](), HOME: {INSTANCE}, f"{HOME}/shop": {HOME}, f"{HOME}/shop/public": {HOME}}
    things = tuple(
        Thing(id, id.rpartition("/")[2], "relational", "", 1, {}, part_of_something(id, "", needs))
        for id, needs in parts.items()
    )
    made = generate(Wanted("m", "aws", target, "somewhere", "0" * 64, things))
    assert [each.id for each in made.made] == [INSTANCE]
    assert {each.id for each in made.untranslated} == {*parts} - {INSTANCE}
