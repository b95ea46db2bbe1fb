"""What is found in an answer, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.evidence.inventory_records import How
from heavylift.inventory.aws.fields import WORDS
from heavylift.inventory.references import Holder, references_of

HOLDER = Holder(
    "arn:aws:lambda:us-east-1:111122223333:function:f", "AWS::Lambda::Function", "lambda", "us-east-1", WORDS
)


def found(document: dict[str, Any], service: str = "lambda") -> set[tuple[str, How]]:
    holder = Holder(HOLDER.id, HOLDER.native_type, service, HOLDER.region, WORDS)
    return {(each.target, each.how) for each in references_of(holder, document)}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"Role": "arn:aws:iam::111122223333:role/r"},
            {("arn:aws:iam::111122223333:role/r", How.API_FIELD)},
        ),
        ({"Model": {"ModelDataUrl": "s3://bkt/m.tar.gz"}}, {("s3://bkt/m.tar.gz", How.API_FIELD)}),
        (
            {"Environment": {"Variables": {"URL": "postgresql://me:pw@db.example.com:5432/x?password=pw"}}},
            {("host:db.example.com:5432", How.CONNECTION_STRING)},
        ),
        (
            {"Environment": {"Variables": {"BROKERS": "b-1.k.example.com:9092,b-2.k.example.com:9092"}}},
            {
                ("host:b-1.k.example.com:9092", How.CONNECTION_STRING),
                ("host:b-2.k.example.com:9092", How.CONNECTION_STRING),
            },
        ),
        (
            {"ContainerArguments": ["--data", "s3://bkt/x", "--from=gs://other/y"]},
            {("s3://bkt/x", How.ARGUMENT), ("gs://other/y", How.ARGUMENT)},
        ),
        (
            {"SubnetIds": ["subnet-0a1b2c3d"]},
            {("AWS::EC2::Subnet|us-east-1|subnet-0a1b2c3d", How.API_FIELD)},
        ),
        (
            {"Image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/team/serve:1.4"},
            {("image:111122223333.dkr.ecr.us-east-1.amazonaws.com/team/serve", How.API_FIELD)},
        ),
        (
            {"PolicyDocument": {"Statement": [{"Effect": "Allow", "Resource": "arn:aws:s3:::b/*"}]}},
            {("arn:aws:s3:::b/*", How.POLICY)},
        ),
        ({"PolicyDocument": {"Statement": {"Effect": "Deny", "Resource": "arn:aws:s3:::b/*"}}}, set()),
        ({"Description": "see https://wiki.example.com/x"}, set()),
        ({"Self": HOLDER.id}, set()),
        ({"Variables": {"LEVEL": "info", "N": "3", "EMPTY": ""}}, set()),
        ({"definition": "{not json"}, set()),
    ],
)
def test_what_names_something_is_found(document: dict[str, Any], expected: set[tuple[str, How]]) -> None:
    assert found(document) == expected


def test_a_name_is_found_by_the_field_of_its_service_alone() -> None:
    document = {"ProductionVariants": [{"ModelName": "m"}]}
    assert found(document, "sagemaker") == {("AWS::SageMaker::Model|us-east-1|m", How.API_NAME)}
    assert found(document, "glue") == set()


def test_no_target_holds_a_credential() -> None:
    secret = "s3cr3t-Pa55"
    document = {
        "Environment": {
            "A": f"mysql://root:{secret}@h.example.com/db",
            "B": f"https://user:{secret}@h.example.com/x?token={secret}",
            "C": f"jdbc:postgresql://h.example.com/db?user=u&password={secret}",
            "D": f"abfss://c@acct.dfs.core.windows.net/x?sig={secret}",
        }
    }
    references = references_of(HOLDER, document)
    assert {each.target for each in references} >= {"host:h.example.com"}
    assert secret not in repr(references)


def test_a_container_of_another_cloud_is_read_or_written_as_ones_own() -> None:
    target = "az://acct/models/x"
    written = WORDS.relation_of("AWS::SageMaker::TrainingJob", "OutputDataConfig", target, How.API_FIELD)
    read = WORDS.relation_of("AWS::Lambda::Function", "Environment.SOURCE", target, How.ENVIRONMENT)
    assert (written, read) == ("writes", "reads")
