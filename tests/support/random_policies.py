"""Random policies of AWS: wildcards, NotAction, NotResource, denials, conditions, boundaries, SCPs."""

from __future__ import annotations

import random
from typing import Any

ACTIONS = [
    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:*", "s3:Get*", "s3:*Object", "*",
    "S3:getobject", "s3:CreateBucket", "sagemaker:*TrainingJob*", "sagemaker:InvokeEndpoint",
    "bedrock:InvokeModel",
    "secretsmanager:GetSecretValue", "secretsmanager:*", "iam:PassRole", "kinesis:Put*", "dynamodb:*Item",
    "sagemaker:CreatePipeline", "sagemaker:StartPipelineExecution", "ecr:*", "s3:PutLifecycleConfiguration",
]  # fmt: skip
RESOURCES = [
    "*", "arn:aws:s3:::train/*", "arn:aws:s3:::train", "arn:aws:s3:::train/a/*", "arn:aws:s3:::train/a/b.csv",
    "arn:aws:s3:::tr*", "arn:aws:s3:::*", "arn:aws:s3:::train/*.csv", "arn:aws:s3:::train/?/x",
    "arn:aws:s3:::*/a/*",
    "arn:aws:s3:::other/*", "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-??????",
    "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-*",
    "arn:aws:secretsmanager:*:111122223333:secret:*",
    "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf", "arn:aws:iam::111122223333:role/train",
    "arn:aws:iam::111122223333:role/*", "arn:aws:sagemaker:us-east-1:111122223333:training-job/*",
    "arn:aws:kinesis:us-east-1:111122223333:stream/s1", "arn:aws:s3:::train/${aws:username}/*",
    "arn:aws:dynamodb:*:111122223333:table/*", "arn:aws:s3:::train/a*a/x",
]  # fmt: skip
CONDITIONS: list[dict[str, dict[str, Any]]] = [
    {"DateLessThan": {"aws:CurrentTime": "2031-01-01T00:00:00Z"}},
    {"DateGreaterThan": {"aws:CurrentTime": "2029-06-01T00:00:00Z"}},
    {"StringLike": {"s3:prefix": ["a/*", "b"]}},
    {"StringNotEquals": {"s3:prefix": "a/"}},
    {"StringEquals": {"s3:prefix": ""}},
    {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    {"StringEqualsIfExists": {"aws:RequestedRegion": "us-east-1"}},
    {"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}},
    {"Null": {"aws:TagKeys": "true"}},
]
PROBES = {
    "object": ["train/a/b.csv", "train/a/c", "train/x.csv", "train/q/x", "train/aa/x", "train/a", "other/a/k",
               "tr/k", "trx/a/z.csv", "zoo/a/b", "train/me/f", "train/aXa/x", "train/a/x"],
    "bucket": ["train", "other", "tr", "trx", "zoo"],
    "new_bucket": ["train", "zoo"],
    "secret": ["us-east-1/db", "us-east-1/db-prod", "eu-west-1/db", "us-east-1/zz", "us-east-1/dbx"],
    "role": ["train", "admin"],
    "stream": ["us-east-1/s1", "us-east-1/s2"],
}  # fmt: skip


def policy(rng: random.Random, size: int = 4) -> dict[str, Any]:
    """Return a random policy."""
    return {"Version": "2012-10-17", "Statement": [statement(rng) for _ in range(rng.randint(1, size))]}


def statement(rng: random.Random) -> dict[str, Any]:
    """Return a random statement."""
    made: dict[str, Any] = {"Effect": "Deny" if rng.random() < 0.3 else "Allow"}
    actions = rng.sample(ACTIONS, rng.randint(1, 4))
    made["NotAction" if rng.random() < 0.12 else "Action"] = actions if rng.random() < 0.8 else actions[0]
    made["NotResource" if rng.random() < 0.12 else "Resource"] = rng.sample(RESOURCES, rng.randint(1, 3))
    if rng.random() < 0.35:
        made["Condition"] = rng.choice(CONDITIONS)
    return made


def identity(rng: random.Random) -> dict[str, Any]:
    """Return an identity with random policies, and sometimes a boundary and service control policies."""
    made: dict[str, Any] = {"id": "arn:aws:iam::111122223333:role/train", "policies": [policy(rng)]}
    if rng.random() < 0.25:
        made["boundary"] = policy(rng, 2)
    if rng.random() < 0.2:
        made["scps"] = [policy(rng, 2)]
    return made


def contexts(rng: random.Random) -> list[dict[str, list[str]]]:
    """Return a few requests."""
    made = []
    for _ in range(5):
        context = {
            "time": [rng.choice(["2028-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "2032-01-01T00:00:00Z"])]
        }
        for key, values in {
            "list_prefix": ["a/", "a/b", "b", "", "zz"],
            "ip": ["10.1.1.1", "192.0.2.1"],
            "aws:multifactorauthpresent": ["true", "false"],
            "aws:requestedregion": ["us-east-1", "eu-west-1"],
            "aws:tagkeys": ["team", "other"],
            "aws:username": ["me"],
        }.items():
            if rng.random() < 0.5:
                context[key] = [rng.choice(values)]
        made.append(context)
    return made
