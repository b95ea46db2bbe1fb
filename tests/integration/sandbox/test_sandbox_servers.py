"""The sandbox's servers are real ones, on this machine's loopback interface only."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from heavylift.errors import ServerUnavailableError
from sandbox import processes, records, state
from sandbox.http import request
from sandbox.model import Launch, Place, Server
from sandbox.stack import Stack
from tests.support.listening import listens_on


def connection(sandbox: Stack, name: str) -> dict[str, object]:
    found = json.loads(sandbox.env[f"AIRFLOW_CONN_{name.upper()}"])
    assert isinstance(found, dict)
    return found


def test_every_server_has_its_connection(sandbox: Stack) -> None:
    wanted = {
        "aws_source": "aws",
        "aws_target": "aws",
        "gcp_target": "google_cloud_platform",
        "azure_target": "wasb",
        "aws_control": "aws",
        "features_source": "postgres",
        "features_target": "postgres",
        "evidence": "file",
    }
    found = {name: connection(sandbox, name)["conn_type"] for name in wanted}
    assert found == wanted
    assert set(wanted) - {"evidence"} <= set(sandbox.endpoints)


def test_airflows_own_hooks_use_the_connections(sandbox: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.google.cloud.hooks.gcs import GCSHook
    from airflow.providers.microsoft.azure.hooks.wasb import WasbHook
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    # This hook takes another endpoint from nowhere else.
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", sandbox.endpoints["gcp_target"])
    assert not S3Hook("aws_source").check_for_bucket("no-such-bucket")
    assert not GCSHook(gcp_conn_id="gcp_target").get_conn().bucket("no-such-bucket").exists()
    assert not WasbHook("azure_target").check_for_blob("no-such-container", "no-such-blob")
    assert PostgresHook("features_source").get_first("SELECT current_database()") == ("features",)


def test_the_two_s3_servers_share_nothing_and_check_signatures(sandbox: Stack) -> None:
    import boto3
    from botocore.exceptions import ClientError

    def client(name: str, **over: str):  # type: ignore[no-untyped-def]
        raw = connection(sandbox, name)
        keys = {"aws_access_key_id": raw["login"], "aws_secret_access_key": raw["password"]}
        return boto3.client("s3", **{**keys, **raw["extra"], **over})  # type: ignore[dict-item]

    source, target = client("aws_source"), client("aws_target")
    source.create_bucket(Bucket="servers-test")
    try:
        source.put_object(Bucket="servers-test", Key="a b/ü", Body=b"1")
        assert source.get_object(Bucket="servers-test", Key="a b/ü")["Body"].read() == b"1"
        assert "servers-test" not in {bucket["Name"] for bucket in target.list_buckets()["Buckets"]}
        with pytest.raises(ClientError) as caught:
            client("aws_source", aws_secret_access_key="wrong").list_buckets()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    finally:
        source.delete_object(Bucket="servers-test", Key="a b/ü")
        source.delete_bucket(Bucket="servers-test")
        for each in (source, target):
            each.close()


def test_cloud_storage_keeps_keys_exactly(sandbox: Stack) -> None:
    keys = ["/lead", "a", "a/b", "p/../q", "x//y", "k" * 1000]
    base = sandbox.endpoints["gcp_target"]
    body = json.dumps({"name": "servers-test"}).encode()
    json_type = {"Content-Type": "application/json"}
    url = f"{base}/storage/v1/b?project=heavylift-sandbox"
    assert request(url, method="POST", body=body, headers=json_type).status == 200
    try:
        for key in keys:
            meta = json.dumps({"name": key}).encode()
            part = b"--b\r\nContent-Type: application/json\r\n\r\n%b\r\n--b\r\n\r\nx\r\n--b--" % meta
            kind = {"Content-Type": "multipart/related; boundary=b"}
            where = f"{base}/upload/storage/v1/b/servers-test/o?uploadType=multipart"
            assert request(where, method="POST", body=part, headers=kind).status == 200
        listed = json.loads(request(f"{base}/storage/v1/b/servers-test/o").body)["items"]
        assert [item["name"] for item in listed] == sorted(keys)
    finally:
        for item in json.loads(request(f"{base}/storage/v1/b/servers-test/o").body).get("items", []):
            request(f"{item['selfLink']}", method="DELETE")
        request(f"{base}/storage/v1/b/servers-test", method="DELETE")


def test_blob_storage_wants_the_account_key(sandbox: Stack) -> None:
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobServiceClient

    raw = connection(sandbox, "azure_target")
    host, account, key = str(raw["host"]), str(raw["login"]), str(raw["password"])
    with BlobServiceClient(host, credential={"account_name": account, "account_key": key}) as client:
        list(client.list_containers())
    wrong = {"account_name": account, "account_key": "AAAA" + key[4:]}
    with BlobServiceClient(host, credential=wrong) as client, pytest.raises(HttpResponseError) as caught:
        list(client.list_containers())
    assert caught.value.status_code == 403


@pytest.mark.parametrize("name", ["features_source", "features_target"])
def test_databases_can_be_decoded_logically_and_want_a_password(sandbox: Stack, name: str) -> None:
    raw = connection(sandbox, name)
    where = {"host": raw["host"], "port": raw["port"], "user": raw["login"], "dbname": raw["schema"]}
    with psycopg.connect(**where, password=raw["password"]) as session:  # type: ignore[arg-type]
        level = session.execute("SHOW wal_level").fetchone()
        assert level == ("logical",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**where, password="wrong")  # type: ignore[arg-type]


def test_the_databases_are_two(sandbox: Stack) -> None:
    ports = {connection(sandbox, name)["port"] for name in ("features_source", "features_target")}
    assert len(ports) == 2


def test_nothing_listens_beyond_loopback(sandbox: Stack) -> None:
    mine = processes.marked(state.load(sandbox.state_dir).sandbox)
    found = [(address, port, ident.command()[:2]) for ident in mine for address, port in listens_on(ident)]
    assert found
    assert [one for one in found if one[0] != "127.0.0.1"] == []


def test_a_server_that_does_not_come_up_is_told_with_its_last_words(
    sandbox: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bad.py"
    script.write_text("print('disk is full, key was s3cr3t')\nraise SystemExit(3)\n")

    def probe(_place: Place) -> None:
        raise OSError("nobody there")

    def launch(place: Place) -> Launch:
        import sys

        return Launch("bad", [sys.executable, str(script)], str(place.log), str(place.home))

    bad = Server("bad", "Bad", ("http",), launch, probe, lambda _: {}, lambda: {"key": "s3cr3t"})
    monkeypatch.setitem(__import__("sandbox.servers").servers.SERVERS, "bad", bad)
    with pytest.raises(ServerUnavailableError, match="status 3") as caught:
        Stack.start(tmp_path / "state", ["bad"])
    told = str(caught.value)
    assert "disk is full" in told
    assert "s3cr3t" not in told
    assert not any(record.alive for record in records.read_all(tmp_path / "state"))
