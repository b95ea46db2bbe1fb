"""``heavylift access`` as a person at a shell meets it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.objects.test_objects_cli import heavylift

ROLE = "arn:aws:iam::111122223333:role/trainer"
MEMBER = "serviceAccount:trainer@p.iam.gserviceaccount.com"
ACCOUNTS = ("--source-account", "111122223333", "--target-account", "p")


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def save(folder: Path, name: str, content: Any) -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def policy(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def role(*statements: Any, **more: Any) -> dict[str, Any]:
    return {"identities": [{"id": ROLE, "policies": [policy(*statements)], **more}]}


def translated(
    capsys: pytest.CaptureFixture[str], *files: str, source: str = "aws", target: str = "gcp",
    more: Any = ACCOUNTS, status: int = 0,
) -> dict[str, Any]:  # fmt: skip
    command = ("access", "translate", *files, "--source", source, "--target", target, *more)
    got, document, err = heavylift(capsys, *command, "--dry-run", "--json")
    assert got == status, err
    record: dict[str, Any] = document["access"]
    return record


def test_translated_kept_and_compared_with_what_the_target_then_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = save(tmp_path, "trainer.json", role(allow("s3:GetObject", resource="arn:aws:s3:::b/*")))
    out, page, matrix = (str(tmp_path / name) for name in ("o.json", "o.html", "o.parquet"))
    store = ("--evidence", (tmp_path / "evidence").as_uri())
    command = ("access", "translate", given, "--source", "aws", "--target", "gcp", *ACCOUNTS, *store)
    status, text, _ = heavylift(capsys, *command, "--out", out, "--page", page, "--matrix", matrix)
    assert status == 0
    assert "storage.objects.get" in text
    assert "0 excess" in text
    assert "Nobody gets more than before" in Path(page).read_text()
    assert Path(matrix).read_bytes()[:4] == b"PAR1"
    documents = json.loads(Path(out).read_text())["documents"]
    there = save(tmp_path, "there.json", {key: documents[key] for key in ("roles", "policies")})
    assert heavylift(capsys, "access", "verify", out, there, *store)[0] == 0
    documents["policies"][0]["resource"] = "//cloudresourcemanager.googleapis.com/projects/p"
    there = save(tmp_path, "there.json", {key: documents[key] for key in ("roles", "policies")})
    status, text, _ = heavylift(capsys, "access", "verify", out, there, *store)
    assert status == 1
    assert "missing" in text
    assert "extra" in text
    assert heavylift(capsys, "audit", "verify", "shell", *store)[0] == 0


def test_an_accounts_own_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    managed = {
        "Arn": "arn:m",
        "PolicyVersionList": [{"IsDefaultVersion": True, "Document": policy(allow("s3:*"))}],
    }
    trust = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ROLE}})
    barred = {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}
    inline = {"PolicyName": "own", "PolicyDocument": policy(barred)}
    lacking = [{"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]
    export = {
        "Policies": [managed],
        "RoleDetailList": [
            {"Arn": ROLE, "RolePolicyList": [inline], "AttachedManagedPolicies": [{"PolicyArn": "arn:m"}]},
            {"Arn": f"{ROLE}-2", "AssumeRolePolicyDocument": trust, "AttachedManagedPolicies": lacking},
        ],
    }
    names = save(tmp_path, "names.json", {"identities": {f"{ROLE}-2": MEMBER.replace("trainer", "other")}})
    record = translated(capsys, save(tmp_path, "e.json", export), more=(*ACCOUNTS, "--names", names))
    mine = [each for each in record["bindings"] if "trainer@" in each["identity"]]
    granted = {name for each in mine for name in each["permissions"]}
    assert "storage.objects.create" in granted
    assert "storage.objects.delete" not in granted
    assert [each["permissions"] for each in mine if "serviceAccounts/" in each["scope"]] == [
        ["iam.serviceAccounts.getAccessToken"]
    ]
    reasons = {each["reason"] for each in record["untranslated"] if each["identity"] == f"{ROLE}-2"}
    assert reasons == {"policy_missing"}


def test_logs_drop_what_is_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = save(tmp_path, "r.json", role(allow("s3:*", "kms:Decrypt")))

    def event(name: str, **more: Any) -> dict[str, Any]:
        session = {"arn": "arn:aws:sts::111122223333:assumed-role/trainer/job"}
        return {"eventSource": "s3.amazonaws.com", "eventName": name, "userIdentity": session, **more}

    one = save(
        tmp_path,
        "trail.json",
        {"Records": [event("GetObject"), event("DeleteObject", errorCode="AccessDenied")]},
    )
    two = tmp_path / "more.json.gz"
    two.write_bytes(gzip.compress(b"\n" + json.dumps(event("ListObjectsV2")).encode()))
    record = translated(capsys, given, more=(*ACCOUNTS, "--logs", one, "--logs", str(two)))
    granted = {name for each in record["bindings"] for name in each["permissions"]}
    assert granted == {"storage.objects.get", "storage.objects.list"}
    assert [ROLE, "key.decrypt"] in record["unused"]


def test_an_excess_is_used_only_where_asked_for_and_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = save(tmp_path, "r.json", role(allow("sagemaker:InvokeEndpoint")))
    record = translated(capsys, given)
    assert record["bindings"] == []
    [gap] = record["untranslated"]
    assert (gap["reason"], "--max-excess 1" in gap["remedy"]) == ("counterpart_broader", True)
    record = translated(capsys, given, more=(*ACCOUNTS, "--max-excess", "1"))
    [binding] = record["bindings"]
    assert (binding["permissions"], binding["excess"]) == (
        ["aiplatform.endpoints.predict"],
        ["foundation.invoke"],
    )
    assert record["matrix"]["excess"] == 0
    assert record["matrix"]["accepted_excess"] > 0


def test_predefined_roles_stand_in_within_their_excess(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = save(tmp_path, "r.json", role(allow("s3:GetObject", "s3:DeleteObject")))
    roles = [
        {"name": "roles/viewer", "includedPermissions": ["storage.objects.get", "x.y.z"]},
        {
            "name": "roles/remover",
            "includedPermissions": ["storage.objects.delete", "storage.objects.create"],
        },
        {
            "name": "roles/all",
            "includedPermissions": ["storage.objects.get", *(f"a.b.c{n}" for n in range(9))],
        },
    ]
    file = save(tmp_path, "roles.json", roles)
    record = translated(capsys, given, more=(*ACCOUNTS, "--roles", file, "--max-excess", "1"))
    assert [each["predefined"] for each in record["bindings"]] == [False]
    record = translated(capsys, given, more=(*ACCOUNTS, "--roles", file, "--max-excess", "2"))
    assert {each["role"] for each in record["bindings"]} == {"roles/viewer", "roles/remover"}
    # What they allow beyond is listed, and both evaluators see it.
    assert record["bindings"][0]["excess"] == ["object.create", "object.overwrite"]
    assert (record["matrix"]["excess"], record["matrix"]["lost"]) == (0, 0)
    assert record["matrix"]["accepted_excess"] > 0


AZURE = "/subscriptions/s/resourceGroups/g"
PLACES: dict[str, dict[str, str]] = {
    "aws": {"account": "111122223333", "region": "us-east-1"},
    "gcp": {"account": "p", "number": "42"},
    "azure": {"account": AZURE, "storage": f"{AZURE}/st", "vault": f"{AZURE}/kv"},
    "kubernetes": {"account": "ml"},
}
VAULTS = "Microsoft.KeyVault/vaults"
IN_B = "/blobServices/default/containers/b"
SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret"
BLOB = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
SOURCES: dict[str, Any] = {
    "aws": role(
        allow("s3:GetObject", resource="arn:aws:s3:::b/*"), allow("s3:ListBucket", resource="arn:aws:s3:::b"),
        allow("secretsmanager:GetSecretValue", resource=f"{SECRET}:db-??????"),
    ),
    "gcp": {
        "roles": [{"name": "r", "includedPermissions": ["storage.objects.get", "storage.objects.list"]},
                  {"name": "s", "includedPermissions": ["secretmanager.versions.access"]}],
        "policies": [
            {"resource": "//storage.googleapis.com/projects/_/buckets/b",
             "policy": {"bindings": [{"role": "r", "members": [MEMBER]}]}},
            {"resource": "//secretmanager.googleapis.com/projects/42/secrets/db",
             "policy": {"bindings": [{"role": "s", "members": [MEMBER, "allUsers"]}]}},
        ],
    },
    "azure": {
        "roleDefinitions": [
            {"id": "r", "permissions": [{"dataActions": [f"{BLOB}/read"]}]},
            {"id": "s", "permissions": [{"dataActions": [f"{VAULTS}/secrets/getSecret/action"]}]},
        ],
        "roleAssignments": [
            {"principalId": "x", "roleDefinitionId": "r", "scope": f"{AZURE}/st{IN_B}"},
            {"principalId": "x", "roleDefinitionId": "s", "scope": f"{AZURE}/kv/secrets/db"},
        ],
    },
    "kubernetes": [
        {"kind": "Role", "metadata": {"name": "r", "namespace": "ml"}, "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db"]}]},
        {"kind": "RoleBinding", "metadata": {"name": "r", "namespace": "ml"},
         "roleRef": {"kind": "Role", "name": "r"}, "subjects": [
             {"kind": "ServiceAccount", "name": "sa", "namespace": "ml"}]},
    ],
}  # fmt: skip


@pytest.mark.parametrize("target", PLACES)
@pytest.mark.parametrize("source", PLACES)
def test_every_direction_keeps_all_and_widens_nothing(
    source: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if source == target:
        return
    names = save(tmp_path, "names.json", {"source": PLACES[source], "target": PLACES[target]})
    given = save(tmp_path, "given.json", SOURCES[source])
    record = translated(capsys, given, source=source, target=target, more=("--names", names))
    operations = {name for each in record["bindings"] for name in each["operations"]}
    stored = {"object.read", "object.list"} if "kubernetes" not in (source, target) else set()
    assert operations == {"secret.read", *stored}
    assert record["matrix"]["excess"] == 0
    public = [each["reason"] for each in record["untranslated"] if each["identity"] == "allUsers"]
    assert public == (["public"] if source == "gcp" else [])
    if target == "azure" and stored:
        # Both parts of one action: no condition is needed.
        [blobs] = [each for each in record["documents"]["roleAssignments"] if "containers" in each["scope"]]
        assert "condition" not in blobs


def test_more_ways_to_more_permissions_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = save(tmp_path, "r.json", role(allow("sagemaker:CreateTrainingJob")))
    record = translated(capsys, given, target="kubernetes", status=1)
    assert "Starts training under another identity" in record["failures"][0]


ALL = '{"Effect": "Allow", "Action": "*", "Resource": "*"'


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"Statement": [', "r.json"),
        ('{"Statement": "x"}', "Statement[0]"),
        ("[" * 100_000, "r.json"),
        ('{"Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]}', "'allow'"),
        (f'{{"Statement": [{ALL}, "Conditions": {{}}}}]}}', "'Conditions'"),
        ('{"Statement": [{"Effect": "Allow", "Action": "*"}]}', "Resource and NotResource"),
        (f'{{"Statement": [{ALL}, "NotAction": "*"}}]}}', "NotAction"),
        ('{"Statement": [{"Effect": "Allow", "Action": 7, "Resource": "*"}]}', "strings"),
        (f'{{"Statement": [{ALL}, "Condition": {{"Like": {{"a": "b"}}}}}}]}}', "'Like'"),
        ('{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}]}', "twice"),
        (f'{{"Statement": [{ALL}, "Condition": []}}]}}', "Condition"),
        ('{"Statement": [{"Effect": "Allow", "Action": null, "Resource": "*"}]}', "Action None"),
        ('{"Statement": [{"Effect": "Allow", "NotAction": [], "Resource": "*"}]}', "NotAction []"),
        ('{"Bindings": []}', "Bindings"),
        ("\ufeff\u0000", "r.json"),
    ],
)  # fmt: skip
def test_bad_documents_are_named_with_place_and_remedy(
    content: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = save(tmp_path, "r.json", content)
    status, _, err = heavylift(
        capsys, "access", "translate", given, "--source", "aws", "--target", "gcp", *ACCOUNTS
    )
    assert status == 2
    assert named in err
    assert "HL-8102" in err
    assert "to fix:" in err


def test_hostile_policies_end_soon_and_are_never_widened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stars = "arn:aws:s3:::" + "*a" * 1000
    many = [
        {"Effect": "Deny", "Action": "s3:*", "Resource": f"arn:aws:s3:::b/{n}/*", "Condition": {
            "StringEquals": {"aws:PrincipalTag/a": str(n)}}}
        for n in range(200)
    ]  # fmt: skip
    given = role(
        allow("s3:GetObject", "s3:\u202eGet*", resource="arn:aws:s3:::b/*"),
        allow("s3:GetObject", resource=stars),
        *many,
    )
    record = translated(capsys, save(tmp_path, "r.json", given))
    assert record["matrix"]["excess"] == 0
    assert {each["reason"] for each in record["untranslated"]} >= {"unknown_action"}
    assert record["bindings"] == [] or record["matrix"]["kept"] > 0


def test_names_of_secrets_lose_what_aws_appends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read = "secretsmanager:GetSecretValue"
    given = role(
        allow(read, resource=f"{SECRET}:db-x9Y2kq"),
        allow(read, resource=f"{SECRET}:other-secret"),
        allow(read, resource="arn:aws:secretsmanager:us-east-1:999999999999:secret:theirs-x9Y2kq"),
    )
    record = translated(capsys, save(tmp_path, "r.json", given))
    assert [each["scope"].rpartition("/")[2] for each in record["bindings"]] == ["db"]
    assert [(each["reason"], each["where"][-12:]) for each in record["untranslated"]] == [
        ("scope", "Statement[1]"), ("scope", "Statement[2]"),
    ]  # fmt: skip


def test_rows_of_ones_own_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = save(tmp_path, "r.json", role(allow("sqs:SendMessage")))
    assert translated(capsys, given)["untranslated"][0]["reason"] == "no_counterpart"
    head = "operation,kind,aws,gcp,azure,kubernetes,source,as_of,verified,note"
    row = "task.add,account,sqs:SendMessage,cloudtasks.tasks.create,,,ours,2026-11-29,yes,"
    save(tmp_path, "access_operations.csv", f"{head}\n{row}\n")
    [binding] = translated(capsys, given, more=(*ACCOUNTS, "--facts", str(tmp_path)))["bindings"]
    assert binding["permissions"] == ["cloudtasks.tasks.create"]


def test_azure_gets_a_role_of_its_own_for_each_condition(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = role(*(allow("s3:DeleteObject", resource=f"arn:aws:s3:::b/{name}/*") for name in "xy"))
    names = save(tmp_path, "names.json", {"source": PLACES["aws"], "target": PLACES["azure"]})
    record = translated(capsys, save(tmp_path, "r.json", given), target="azure", more=("--names", names))
    keys = [
        (each["principalId"], each["roleDefinitionId"], each["scope"])
        for each in record["documents"]["roleAssignments"]
    ]
    assert len(set(keys)) == len(keys) == 2
    assert {each["role"] for each in record["bindings"]} == {each["id"] for each in record["roles"]}


def test_two_identities_do_not_become_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = role(allow("s3:GetObject"))
    given["identities"].append({"id": f"{ROLE}-2", "policies": []})
    names = save(tmp_path, "names.json", {"identities": {ROLE: MEMBER, f"{ROLE}-2": MEMBER}})
    more = (*ACCOUNTS, "--names", names)
    record = translated(capsys, save(tmp_path, "r.json", given), more=more, status=1)
    assert "would both become" in record["failures"][0]


def test_what_the_options_lack_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = save(tmp_path, "r.json", role())
    for more, code in (((), "HL-8104"), (("--source", "aws", "--target", "gcp"), "HL-8103")):
        status, _, err = heavylift(capsys, "access", "translate", given, *more)
        assert (status, code in err) == (2, True)
    other = {"eventName": "GetObject", "userIdentity": {"arn": "arn:aws:iam::1:user/u"}}
    log = save(tmp_path, "log", other)
    command = ("access", "translate", given, "--source", "aws", "--target", "gcp", *ACCOUNTS, "--logs", log)
    assert "HL-8111" in heavylift(capsys, *command)[2]
    save(tmp_path, "log", "{}")
    command = ("access", "translate", given, "--source", "aws", "--target", "gcp", *ACCOUNTS, "--logs", log)
    status, _, err = heavylift(capsys, *command)
    assert status == 2
    assert "CloudTrail" in err
