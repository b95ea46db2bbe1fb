"""Real servers of known content: databases, brokers, a tracking server, stores, files; and all joined."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from sandbox.stack import Stack
from tests.integration.inventory.systems import Taken, take, take_graph
from tests.support.kubernetes_server import TOKEN, Cluster, serving

SECRET = "s3cr3t-of-a-server"


@dataclass
class Server:
    """One server of the sandbox.

    :param ids: id → native type of what a test made there.
    :param edges: (source, target) that the server itself tells.
    """

    raw: dict[str, Any]
    mark: str
    ids: dict[str, str] = field(default_factory=dict)
    edges: set[tuple[str, str]] = field(default_factory=set)

    @property
    def at(self) -> str:
        return f"{self.raw['host']}:{self.raw['port']}"


@pytest.fixture(scope="session")
def servers(sandbox: Stack) -> dict[str, dict[str, Any]]:
    """Return the connections of the sandbox's servers, by id."""
    sandbox.ensure("mysql_source", "kafka_source", "mlflow_source")
    found = {}
    for name, text in sandbox.env.items():
        raw = json.loads(text)
        extra = raw.get("extra") or {}
        raw["extra"] = json.loads(extra) if isinstance(extra, str) else dict(extra)
        found[name.removeprefix("AIRFLOW_CONN_").lower()] = raw
    return found


def mark() -> str:
    return f"inv{secrets.token_hex(4)}"


def login(raw: dict[str, Any], database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=raw["host"], port=raw["port"], user=raw["login"], password=raw["password"], dbname=database,
        autocommit=True,
    )  # fmt: skip


@pytest.fixture(scope="session")
def database(servers: dict[str, dict[str, Any]]) -> Iterator[Server]:
    """Return a database with tables, a foreign server, a subscription and a slot."""
    raw, other = servers["features_source"], servers["features_target"]
    made = Server({**raw, "extra": {"aliases": ["features-db.internal"]}}, mark())
    name = made.mark
    home, inside = f"postgresql://{made.at}", f"postgresql://{made.at}/{name}"
    with login(raw, raw["schema"]) as session:
        session.execute(f'CREATE DATABASE "{name}"')
    far = f"host={other['host']} port={other['port']} dbname={other['schema']}"
    with login(raw, name) as session:
        for statement in (
            "CREATE SCHEMA shop",
            "CREATE TABLE shop.orders (id int PRIMARY KEY, note text)",
            "INSERT INTO shop.orders SELECT n, repeat('x', 100) FROM generate_series(1, 5000) n",
            "ANALYZE shop.orders",
            "CREATE VIEW shop.latest AS SELECT * FROM shop.orders",
            "CREATE EXTENSION postgres_fdw",
            f"CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{other['host']}', port"
            f" '{other['port']}', dbname 'x')",
            f"CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'u', password '{SECRET}')",
            "CREATE FOREIGN TABLE shop.far_orders (id int) SERVER far",
            "CREATE PUBLICATION everything FOR ALL TABLES",
            f"CREATE SUBSCRIPTION \"{name}_sub\" CONNECTION '{far} user=u password={SECRET}' PUBLICATION p"
            " WITH (connect = false, slot_name = NONE)",
            f"CREATE FUNCTION shop.fetch() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN '{far}'; END $$",
        ):
            session.execute(statement)
        session.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", [name])
        oid = session.execute("SELECT 'shop.fetch'::regproc::oid").fetchone()
    assert oid is not None
    made.ids = {
        inside: "Database", f"{inside}/public": "Schema", f"{inside}/shop": "Schema",
        f"{inside}/shop/orders": "Table", f"{inside}/shop/latest": "Table",
        f"{inside}/shop/far_orders": "Table", f"{inside}/servers/far": "ForeignServer",
        f"{inside}/publications/everything": "Publication",
        f"{inside}/subscriptions/{name}_sub": "Subscription", f"{home}/slots/{name}": "ReplicationSlot",
        f"{inside}/shop/functions/fetch-{oid[0]}": "Function",
    }  # fmt: skip
    there = f"postgresql://{other['host']}:{other['port']}"
    made.edges = {
        (inside, home), (f"{home}/slots/{name}", inside), (f"{inside}/public", inside),
        (f"{inside}/shop", inside), (f"{inside}/shop/orders", f"{inside}/shop"),
        (f"{inside}/shop/latest", f"{inside}/shop"), (f"{inside}/shop/far_orders", f"{inside}/shop"),
        (f"{inside}/shop/far_orders", f"{inside}/servers/far"), (f"{inside}/servers/far", inside),
        (f"{inside}/servers/far", there), (f"{inside}/publications/everything", inside),
        (f"{inside}/subscriptions/{name}_sub", inside), (f"{inside}/subscriptions/{name}_sub", there),
        (f"{inside}/shop/functions/fetch-{oid[0]}", f"{inside}/shop"),
    }  # fmt: skip
    yield made
    with login(raw, name) as session:
        session.execute(f'DROP SUBSCRIPTION "{name}_sub"')
        session.execute("SELECT pg_drop_replication_slot(%s)", [name])
    with login(raw, raw["schema"]) as session:
        session.execute(f'DROP DATABASE "{name}"')


def of(found: Taken, part: str) -> dict[str, str]:
    return {id: kind.partition("::")[2] for id, kind in found.ids.items() if part in id}


def test_a_database_with_all_that_it_is_joined_to(
    database: Server, servers: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    found = take("postgresql", database.raw, tmp_path, regions=(database.mark,))
    assert of(found, database.mark) == database.ids
    assert found.record.complete
    by_id = {each.id: each for each in found.components}
    home = f"postgresql://{database.at}/{database.mark}"
    orders = by_id[f"{home}/shop/orders"]
    assert orders.objects == 5000
    assert (orders.size_bytes or 0) > 500_000
    extensions = {each["name"] for each in by_id[home].attributes["extensions"]}
    assert extensions == {"plpgsql", "postgres_fdw"}
    other = servers["features_target"]
    take("postgresql", other, tmp_path, conn="other", regions=(other["schema"],))
    drawn = take_graph(tmp_path, "postgresql", ("other",)).graph
    own = {(edge.source, edge.target, edge.explicit) for edge in drawn.edges if database.mark in edge.source}
    assert {(source, target) for source, target, explicit in own if explicit} == database.edges
    inferred = {(source, target) for source, target, explicit in own if not explicit}
    function = next(id for id, kind in database.ids.items() if kind == "Function")
    assert inferred == {(function, f"postgresql://{other['host']}:{other['port']}")}
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json*") if path.is_file())
    assert SECRET.encode() not in kept
    assert not any(SECRET in each.attributes_json for each in found.components)


def test_a_second_run_of_a_database_tells_what_appeared(database: Server, tmp_path: Path) -> None:
    take("postgresql", database.raw, tmp_path, regions=(database.mark,))
    with login(database.raw, database.mark) as session:
        session.execute("CREATE TABLE shop.late (id int)")
    try:
        diff = take("postgresql", database.raw, tmp_path, run="second", regions=(database.mark,)).record.diff
    finally:
        with login(database.raw, database.mark) as session:
            session.execute("DROP TABLE shop.late")
    assert diff is not None
    assert [each for each in diff.appeared_ids if database.mark in each] == [
        f"postgresql://{database.at}/{database.mark}/shop/late"
    ]


def test_what_a_login_may_not_see_is_told(database: Server, tmp_path: Path) -> None:
    role = f"{database.mark}_role"
    with login(database.raw, database.mark) as session:
        session.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'")
    try:
        raw = {**database.raw, "login": role, "password": SECRET}
        record = take("postgresql", raw, tmp_path, regions=(database.mark,)).record
        with login(database.raw, database.mark) as session:
            session.execute(f'REVOKE CONNECT ON DATABASE "{database.mark}" FROM PUBLIC')
        closed = take("postgresql", raw, tmp_path, run="closed", regions=(database.mark,)).record
    finally:
        with login(database.raw, database.mark) as session:
            session.execute(f'GRANT CONNECT ON DATABASE "{database.mark}" TO PUBLIC')
            session.execute(f"DROP ROLE {role}")
    missing = {each.permission for each in record.findings if each.rule == "permission_missing"}
    assert missing == {"SELECT (subconninfo) ON pg_subscription"}
    assert not record.complete
    blockers = {each.native_type for each in closed.findings if each.severity == "blocker"}
    assert {"PostgreSQL::Table", "PostgreSQL::Schema"} <= blockers


def test_schemas_and_tables_of_a_mysql_server(servers: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    raw, name = servers["mysql_source"], mark()
    session = pymysql.connect(
        host=raw["host"], port=raw["port"], user=raw["login"], password=raw["password"], autocommit=True
    )
    with session, session.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            cursor.execute(f"CREATE TABLE {name}.orders (id int PRIMARY KEY, note text)")
            cursor.execute(f"INSERT INTO {name}.orders VALUES (1, 'a'), (2, 'b')")
            cursor.execute(f"CREATE VIEW {name}.latest AS SELECT * FROM {name}.orders")
            found = take("mysql", raw, tmp_path)
        finally:
            cursor.execute(f"DROP DATABASE {name}")
    home = f"mysql://{raw['host']}:{raw['port']}"
    expected = {
        f"{home}/{name}": "Schema", f"{home}/{name}/orders": "Table", f"{home}/{name}/latest": "Table",
    }  # fmt: skip
    assert of(found, name) == expected
    assert found.ids[home] == "MySQL::Server"
    orders = next(each for each in found.components if each.id.endswith(f"{name}/orders"))
    assert orders.size_bytes
    edges = {(edge.source, edge.target) for edge in take_graph(tmp_path, "mysql").graph.edges}
    assert {(f"{home}/{name}", home), (f"{home}/{name}/orders", f"{home}/{name}")} <= edges


def test_topics_and_who_reads_them(servers: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    raw, name = servers["kafka_source"], mark()
    address = raw["extra"]["bootstrap.servers"]
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(name, 3, 1)])[name].result(10)
    producer = Producer({"bootstrap.servers": address})
    for n in range(30):
        producer.produce(name, str(n), partition=n % 3)
    producer.flush(10)
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": address, "group.id": f"{name}-readers"})
    consumer.commit(offsets=[TopicPartition(name, 0, 5)], asynchronous=False)
    consumer.close()
    found = take("kafka", raw, tmp_path)
    home = f"kafka://{address}"
    expected = {f"{home}/topics/{name}": "Topic", f"{home}/groups/{name}-readers": "ConsumerGroup"}
    assert of(found, name) == expected
    topic = next(each for each in found.components if each.id == f"{home}/topics/{name}")
    assert topic.attributes["partitions"] == 3
    assert topic.objects is not None
    edges = {(e.source, e.target) for e in take_graph(tmp_path, "kafka").graph.edges if name in e.source}
    assert edges == {
        (f"{home}/topics/{name}", home), (f"{home}/groups/{name}-readers", f"{home}/topics/{name}")
    }  # fmt: skip


def test_folders_are_counted_and_links_not_followed(tmp_path: Path) -> None:
    root, evidence = tmp_path / "data", tmp_path / "evidence"
    (root / "train" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "train" / "a").write_bytes(b"x" * 10)
    (root / "train" / "deep" / "b").write_bytes(b"x" * 32)
    (root / "top").write_bytes(b"x")
    (root / "train" / "out").symlink_to("/usr")
    raw = {"conn_type": "fs", "extra": {"path": str(root)}}
    found = take("files", raw, evidence)
    folders = {
        each.name: (each.objects, each.size_bytes) for each in found.components if each.objects is not None
    }
    assert folders == {"train": (2, 42), "empty": (0, 0), ".": (1, 1)}
    train = next(each for each in found.components if each.name == "train")
    assert train.attributes["sums"]["links"] == 1
    assert "bytes_at_least" not in train.attributes["sums"]


def test_the_count_of_a_folder_is_bounded(tmp_path: Path) -> None:
    from heavylift.connections import connection_from_fields
    from heavylift.inventory.native.files import FilesPlane

    for n in range(20):
        (tmp_path / "many").mkdir(exist_ok=True)
        (tmp_path / "many" / str(n)).write_bytes(b"x")
    raw = {"conn_type": "fs", "extra": {"path": str(tmp_path)}}
    plane = FilesPlane(connection_from_fields("files", raw), most=7)
    sums = plane.call("files", "count", "server", {"name": "many"})["sums"]
    assert (sums["files_at_least"], "bytes" in sums) == (7, False)


def mlflow(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    import urllib.request

    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def test_all_servers_joined_with_a_cluster_that_uses_them(
    servers: dict[str, dict[str, Any]], database: Server, tmp_path: Path
) -> None:
    import boto3

    store, tracking, name = servers["aws_source"], servers["mlflow_source"], mark()
    client = boto3.client(
        "s3", endpoint_url=store["extra"]["endpoint_url"], region_name="us-east-1",
        aws_access_key_id=store["login"], aws_secret_access_key=store["password"],
    )  # fmt: skip
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="train/a", Body=b"x" * 100)
    mlflow(tracking["host"], "registered-models/create", {"name": name})
    source = f"s3://{name}/models/1"
    mlflow(tracking["host"], "model-versions/create", {"name": name, "source": source})
    tracking = {**tracking, "extra": {"aliases": ["tracking.internal"]}}
    objects = take("objects", store, tmp_path)
    server = take("mlflow", tracking, tmp_path)
    take("postgresql", database.raw, tmp_path, regions=(database.mark,))
    bucket = next(each for each in objects.components if each.name == name)
    assert (bucket.id, bucket.objects, bucket.size_bytes) == (f"arn:aws:s3:::{name}", 1, 100)
    home = f"mlflow://{tracking['host'].partition('://')[2]}"
    model, version = f"{home}/models/{name}", f"{home}/models/{name}/1"
    assert of(server, name) == {model: "RegisteredModel", version: "ModelVersion"}
    cluster = Cluster()
    port = tracking["host"].rpartition(":")[2]
    env = {
        "DATABASE_URL": f"postgresql://app:{SECRET}@features-db.internal:{database.raw['port']}/x",
        "MLFLOW_TRACKING_URI": f"http://tracking.internal:{port}",
        "MODEL": f"models:/{name}/1",
        "DATA": f"s3://{name}/train/",
    }
    container = {"name": "m", "image": "x", "env": [{"name": k, "value": v} for k, v in env.items()]}
    cluster.add(
        "apis/apps/v1", "deployments", "Deployment", "serve", "ns",
        spec={"template": {"metadata": {"labels": {}}, "spec": {"containers": [container]}}},
    )  # fmt: skip
    with serving(cluster):
        extra = {"token": TOKEN, "cluster_name": "c"}
        take("kubernetes", {"conn_type": "kubernetes", "host": cluster.url, "extra": extra}, tmp_path)
    drawn = take_graph(tmp_path, "kubernetes", ("objects", "mlflow", "postgresql"))
    deployment = "kubernetes://c/apps/Deployment/ns/serve"
    edges = {(edge.source, edge.target): edge for edge in drawn.graph.edges}
    expected = {bucket.id, model, home, f"postgresql://{database.at}"}
    assert {target for source, target in edges if source == deployment} == expected
    assert {target for source, target in edges if source == version} == {model, bucket.id}
    assert edges[version, bucket.id].explicit
    assert not edges[deployment, home].explicit
    assert len(drawn.record.also) == 3
    client.delete_object(Bucket=name, Key="train/a")
    client.delete_bucket(Bucket=name)


def test_containers_of_the_other_clouds_stores(servers: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    from azure.storage.blob import BlobServiceClient

    azure, name = servers["azure_target"], mark()
    client = BlobServiceClient(azure["host"], credential=azure["password"])
    client.create_container(name).upload_blob("a", b"x" * 7)
    try:
        found = take("objects", azure, tmp_path, conn="azure")
    finally:
        client.delete_container(name)
    made = next(each for each in found.components if each.name == name)
    assert (made.objects, made.size_bytes) == (1, 7)
    assert made.id == f"az://{azure['login']}/{name}"
    found = take("objects", servers["gcp_target"], tmp_path, conn="gcp")
    assert found.record.complete, found.record.findings
    assert all(each.id.startswith("//storage.googleapis.com/") for each in found.components)
