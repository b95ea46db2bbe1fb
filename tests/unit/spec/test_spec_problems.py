"""Each thing that can be wrong with a spec: its code, its place, and what the message says."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest

from heavylift.errors import SpecError
from heavylift.spec import SUPPORTED_SECTIONS, Problem, SpecFileError, load_spec
from heavylift.spec.model import MigrationSpec
from heavylift.spec.secrets import names_secret
from tests.unit.spec.samples import HEAD, MINIMAL, problems_of, write

GATE = "gates:\n  - {name: moved, phase: transfer, checks: [counts_equal]}\n"
DATABASE = """\
apiVersion: heavylift/v1
migration: fraud
owner: ml-platform
source: {platform: aws, connection: aws_source}
target: {platform: gcp, connection: gcp_target}
databases:
  - name: features
    source: {connection: db_a}
    target: {connection: db_b}
"""
TABLE = """\
    expectations:
      - name: rows
        format: parquet
        path: "*.parquet"
        suite: [{type: expect_column_to_exist, kwargs: {column: id}}]
"""


@dataclass(frozen=True)
class Case:
    """A wrong spec that has one problem.

    :param place: the first text in the spec that stands where the problem must point to.
    :param said: parts of the rendered problem.
    """

    name: str
    text: str
    code: str
    field: str
    place: str
    said: tuple[str, ...]


def edited(old: str, new: str, text: str = MINIMAL) -> str:
    """Return ``text`` with its one ``old`` replaced."""
    if text.count(old) != 1:
        raise ValueError(old)
    return text.replace(old, new)


def dataset(line: str) -> str:
    """Return the smallest spec with one more line in its dataset."""
    return f"{MINIMAL}    {line}\n"


CASES = [
    Case(
        "misspelt key", edited("owner", "owners") + "owner: me\n", "2120", "owners", "owners",
        ("got the unknown key 'owners'", "apiVersion, migration", "perhaps owner is meant"),
    ),
    Case(
        "misspelt key of a dataset", dataset("on_conflcit: skip"), "2120", "datasets[0].on_conflcit",
        "on_conflcit", ("on_unholdable_key", "perhaps on_conflict is meant"),
    ),
    Case(
        "key in capitals and dashes", dataset("On-Conflict: skip"), "2120", "datasets[0].On-Conflict",
        "On-Conflict", ("perhaps on_conflict is meant",),
    ),
    Case(
        "key that nothing resembles", dataset("zzz: 1"), "2120", "datasets[0].zzz", "zzz",
        ("expected one of name, description",),
    ),
    Case(
        "missing key at the top", edited("owner: payments-ml\n", ""), "2121", "owner", "apiVersion",
        ("got no owner", "the required key owner", "team or person"),
    ),
    Case(
        "missing key of a dataset", edited("    target: gs://fraud/training/\n", ""), "2121",
        "datasets[0].target", "name: training-data", ("got no target in datasets[0]",),
    ),
    Case(
        "other version of the form", edited("heavylift/v1", "heavylift/v2"), "2122", "apiVersion",
        "heavylift/v2", ("got 'heavylift/v2'", "expected one of heavylift/v1"),
    ),
    Case(
        "misspelt word", dataset("on_conflict: overwrit"), "2122", "datasets[0].on_conflict", "overwrit",
        ("got 'overwrit'", "one of fail, skip, overwrite", "perhaps overwrite is meant"),
    ),
    Case(
        "unknown platform", edited("platform: aws", "platform: amazon"), "2122", "source.platform", "amazon",
        ("one of aws, gcp, azure, kubernetes",),
    ),
    Case(
        "unknown phase of a gate", MINIMAL + edited("transfer", "tranfser", GATE), "2122", "gates[0].phase",
        "tranfser", ("perhaps transfer is meant", "rollback"),
    ),
    Case(
        "unknown check of a gate", MINIMAL + edited("counts_equal", "count_equal", GATE), "2122",
        "gates[0].checks[0]", "count_equal", ("perhaps counts_equal is meant",),
    ),
    Case(
        "yes where true is meant", dataset("metadata: {tags: yes}"), "2123", "datasets[0].metadata.tags",
        "yes", ("got 'yes'", "expected true or false", "plain text here"),
    ),
    Case(
        "1 where true is meant", dataset("metadata: {tags: 1}"), "2123", "datasets[0].metadata.tags", "1}",
        ("got 1", "write true or false"),
    ),
    Case(
        "number where text is meant", edited("payments-ml", "4711"), "2123", "owner", "4711",
        ("got 4711", "expected text", "put it into quotes"),
    ),
    Case(
        "quoted number", dataset("limits: {max_concurrency: '8'}"), "2123",
        "datasets[0].limits.max_concurrency", "'8'", ("expected a whole number", "without quotes"),
    ),
    Case(
        "truth where a number is meant", dataset("limits: {max_concurrency: true}"), "2123",
        "datasets[0].limits.max_concurrency", "true", ("got true", "a whole number"),
    ),
    Case(
        "one where a list is meant", dataset("include: '*.csv'"), "2123", "datasets[0].include", "'*.csv'",
        ("got '*.csv'", "expected a list", "write [*.csv]"),
    ),
    Case(
        "list where a mapping is meant", dataset("limits: [1]"), "2123", "datasets[0].limits", "[1]",
        ("got a list of 1", "expected a mapping"),
    ),
    Case(
        "text where a mapping is meant", edited("{platform: aws, connection: aws_source}", "aws"), "2123",
        "source", "aws", ("got 'aws'", "expected a mapping"),
    ),
    Case(
        "too small", dataset("limits: {part_size: 1MiB}"), "2124", "datasets[0].limits.part_size", "1MiB",
        ("got '1MiB'", "at least"),
    ),
    Case(
        "too large", dataset("limits: {max_concurrency: 5000}"), "2124",
        "datasets[0].limits.max_concurrency", "5000", ("got 5000", "at most 1024"),
    ),
    Case(
        "confidence of one", dataset("verify: {mode: sample, sample: {confidence: 1.0}}"), "2124",
        "datasets[0].verify.sample.confidence", "1.0", ("less than 1.0",),
    ),
    Case(
        "gate without checks", MINIMAL + edited("[counts_equal]", "[]", GATE), "2125", "gates[0].checks",
        "[]", ("got an empty list", "at least 1"),
    ),
    Case(
        "empty owner", edited("payments-ml", "''"), "2125", "owner", "''", ("got an empty text",),
    ),
    Case(
        "no URL", edited("s3://fraud", "fraud"), "2126", "datasets[0].source.url", "fraud/training",
        ("s3://bucket/prefix/",),
    ),
    Case(
        "bucket name", edited("gs://fraud", "gs://Fraud"), "2126", "datasets[0].target.url", "gs://Fraud",
        ("a bucket or container name of 3 to 222",),
    ),
    Case(
        "no bucket", edited("gs://fraud/training/", "gs:///training/"), "2126", "datasets[0].target.url",
        "gs:///", ("gs://bucket/",),
    ),
    Case(
        "path upwards", edited("s3://fraud/training/", "file:///data/../etc"), "2126",
        "datasets[0].source.url", "file:///", ("a path without '..'",),
    ),
    Case(
        "name of the migration", edited("migration: fraud-scoring", "migration: Fraud Scoring"), "2127",
        "migration", "Fraud Scoring", ("a-z, 0-9 and -", "write fraud-scoring"),
    ),
    Case(
        "name too long", edited("migration: fraud-scoring", "migration: " + 64 * "a"), "2127", "migration",
        64 * "a", ("1 to 63",),
    ),
    Case(
        "connection id", edited("aws_source", "aws source"), "2128", "source.connection", "aws source",
        ("an Airflow connection id", "write aws_source"),
    ),
    Case(
        "size without unit", dataset("limits: {part_size: '64'}"), "2129", "datasets[0].limits.part_size",
        "'64'", ("a size such as 64MiB", "write a unit, for example 64MiB"),
    ),
    Case(
        "size in bits", dataset("limits: {part_size: 64Mb}"), "2129", "datasets[0].limits.part_size",
        "64Mb", ("a small b may mean bits: write 64MB",),
    ),
    Case(
        "size in small letters", dataset("limits: {part_size: 64mIB}"), "2129",
        "datasets[0].limits.part_size", "64mIB", ("write 64MiB",),
    ),
    Case(
        "size as a rate", dataset("limits: {part_size: 64MiB/s}"), "2129", "datasets[0].limits.part_size",
        "64MiB/s", ("a size has no /s: write 64MiB",),
    ),
    Case(
        "rate as a size", dataset("limits: {max_bandwidth: 200MiB}"), "2129",
        "datasets[0].limits.max_bandwidth", "200MiB", ("write 200MiB/s",),
    ),
    Case(
        "rate in bits", dataset("limits: {max_bandwidth: 200Mbit/s}"), "2129",
        "datasets[0].limits.max_bandwidth", "200Mbit/s", ("a rate such as 200MiB/s",),
    ),
    Case(
        "duration without unit", f"{MINIMAL}defaults: {{retry_delay: '30'}}\n", "2129",
        "defaults.retry_delay", "'30'", ("a duration such as 30s", "for example 30s"),
    ),
    Case(
        "duration in words", f"{MINIMAL}defaults: {{retry_delay: 1 hour}}\n", "2129",
        "defaults.retry_delay", "1 hour", ("15m, 24h",),
    ),
    Case(
        "range of letters backwards", dataset("include: ['[z-a]*']"), "2130", "datasets[0].include[0]",
        "'[z-a]*'", ("write ranges upwards",),
    ),
    Case(
        "too many stars", dataset("exclude: ['**/**/**/**/**']"), "2130", "datasets[0].exclude[0]",
        "'**/", ("at most 4 '**'",),
    ),
    Case(
        "empty pattern", dataset("exclude: ['']"), "2130", "datasets[0].exclude[0]", "''",
        ("got an empty text", "1 to 1024 characters"),
    ),
    Case(
        "cron with six fields", f"{MINIMAL}schedule: {{sync: '0 0 * * * *'}}\n", "2131", "schedule.sync",
        "'0 0 *", ("fields: 6, not 5",),
    ),
    Case(
        "cron out of range", f"{MINIMAL}schedule: {{sync: '61 * * * *'}}\n", "2131", "schedule.sync",
        "'61", ("the minute '61' is not within 0 to 59",),
    ),
    Case(
        "unknown preset", f"{MINIMAL}schedule: {{sync: '@often'}}\n", "2131", "schedule.sync", "'@often'",
        ("@hourly, @daily",),
    ),
    Case(
        "sample of everything", dataset("verify: {mode: full, sample: {objects: 10}}"), "2133",
        "datasets[0].verify", "{mode: full", ("a sample together with mode: full",),
    ),
    Case(
        "users whom nobody asks",
        MINIMAL
        + edited("l]}", "l], approval: {required: false, assigned_users: [a]}}", GATE),
        "2133", "gates[0].approval", "{required: false", ("assigned_users together with required: false",),
    ),
    Case(
        "misspelt expectation", MINIMAL + edited("expect_column_to_exist", "expect_column_to_exists", TABLE),
        "2134", "datasets[0].expectations[0].suite[0].type", "expect_column_to_exists",
        ("perhaps expect_column_to_exist is meant",),
    ),
    Case(
        "blank user",
        MINIMAL + edited("[counts_equal]", "[counts_equal], approval: {assigned_users: [' ']}", GATE),
        "2135", "gates[0].approval.assigned_users[0]", "' '", ("the id that Airflow's auth manager gives",),
    ),
    Case(
        "gate of a later phase", MINIMAL + edited("transfer", "monitor", GATE), "2141", "gates[0].phase",
        "monitor",
        (
            "'monitor', understood but not yet",
            "expected assess or cutover or decommission or optimize or provision or registry or revalidate or"
            " sync or",
        ),
    ),
    Case(
        "two datasets of one name",
        MINIMAL + "  - {name: training-data, source: s3://fraud/b/, target: gs://fraud/b/}\n", "2150",
        "datasets[1].name", "training-data, source", ("a second time", "another name than datasets[0]"),
    ),
    Case(
        "two gates of one name", MINIMAL + GATE + GATE.split("\n")[1] + "\n", "2150", "gates[1].name",
        "", ("the name 'moved' a second time",),
    ),
    Case(
        "two tables of one name", MINIMAL + TABLE + TABLE.split("\n", 1)[1], "2150",
        "datasets[0].expectations[1].name", "", ("the name 'rows' a second time",),
    ),
    Case(
        "nothing to move", HEAD, "2155", "datasets", "apiVersion", ("got nothing to move",),
    ),
    Case(
        "memory for less than two parts", dataset("limits: {part_size: 200MiB}"), "2156",
        "datasets[0].limits", "{part_size", ("memory_budget 128MiB with part_size 200MiB", "400MiB or more"),
    ),
    Case(
        "shard smaller than a part", dataset("limits: {shard_size: 8MiB}"), "2156", "datasets[0].limits",
        "{shard_size", ("shard_size 8MiB with part_size 16MiB",),
    ),
    Case(
        "first wait longer than the longest",
        f"{MINIMAL}defaults: {{retry_delay: 1h, max_retry_delay: 5m}}\n", "2157", "defaults.retry_delay",
        "1h", ("got 1h", "at most max_retry_delay, 5m"),
    ),
    Case(
        "gate on expectations that nobody has",
        MINIMAL + edited("counts_equal", "expectations_pass", GATE), "2154", "gates[0].checks[0]",
        "expectations_pass", ("which would check nothing", "take the check out"),
    ),
    Case(
        "gate on profiles that nobody compares",
        MINIMAL + TABLE + "        compare: {columns: none}\n"
        + edited("counts_equal", "profiles_equal", GATE),
        "2154", "gates[0].checks[0]", "profiles_equal", ("which would check nothing",),
    ),
    Case(
        "a database product of a later version",
        DATABASE.replace("connection: db_b", "engine: mysql, connection: db_b"),
        "2180", "databases[0].target.engine", "mysql",
        ("'mysql' as the target of postgresql", "not yet supported by this version"),
    ),
    Case(
        "a product that is not decoded here",
        DATABASE.replace("connection: db_a", "engine: oracle, connection: db_a") + "    method: changes\n",
        "2181", "databases[0].method", "changes", ("for oracle", "debezium"),
    ),
    Case(
        "a database that moves onto itself", DATABASE.replace("db_b", "db_a"),
        "2182", "databases[0].target.connection", "db_a", ("another database",),
    ),
    Case(
        "a check of databases without any", MINIMAL + edited("counts_equal", "tables_equal", GATE),
        "2183", "gates[0].checks[0]", "tables_equal", ("which would check nothing",),
    ),
    Case(
        "caught up in a phase that applies nothing",
        DATABASE + edited("counts_equal", "replication_caught_up", GATE),
        "2184", "gates[0].checks[0]", "replication_caught_up", ("phase sync",),
    ),
]  # fmt: skip


def only_problem(directory: Path, text: str) -> Problem:
    """Return the single problem of a spec."""
    problems = problems_of(directory, text)
    assert len(problems) == 1, [problem.render() for problem in problems]
    return problems[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_spec_is_told_where_and_why(case: Case, tmp_path: Path) -> None:
    problem = only_problem(tmp_path, case.text)
    assert (problem.code, problem.field) == (case.code, case.field)
    for said in case.said:
        assert said in problem.render()
    line, column = problem.mark.line, problem.mark.column
    at = case.text.split("\n")[line - 1][column - 1 :]
    assert at.startswith(case.place)


@pytest.mark.parametrize("section", ["endpoints"])
def test_a_section_of_a_later_version_is_refused_by_name(
    section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This version carries all of them out: one is taken for a later version's.
    without = {**SUPPORTED_SECTIONS, section: False}
    monkeypatch.setattr("heavylift.spec.check.SUPPORTED_SECTIONS", without)
    many = "tuple" in str(MigrationSpec.model_fields[section].annotation)
    text = f"{MINIMAL}{section}: {'[{name: a}]' if many else '{x: 1}'}\n"
    refused = [problem for problem in problems_of(tmp_path, text) if problem.code == "2140"]
    [problem] = refused
    assert problem.field == section
    assert text.split("\n")[problem.mark.line - 1].startswith(section)
    assert f"'{section}', which is understood but not yet supported by this version" in problem.render()
    assert (
        "(assess, datasets, gates, notify, databases, streams, registries, feature_stores, models,"
        " pipelines, training, autoscaling, alerts, infrastructure, secrets, containers, access,"
        " manifests, envelopes, compliance, cutover, decommission, workload_tests, monitor, optimize)"
        in problem.render()
    )


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = f"""\
apiVersion: heavylift/v1
migration: Fraud
source: {{platform: aws, connection: aws_source}}
target: {{platform: gcp, connection: gcp_target}}
datasets:
  - name: one
    source: s3://fraud/one/
    target: gs://fraud/one/
    on_conflict: never
    limits: {{part_size: 1B, shard_objects: 0}}
  - name: two
    source: gs://fraud/two/
    target: gs://fraud/three/
    owner: x
  - name: three
    source: s3://fraud/three/
    target: gs://fraud/three/
  - name: four
    source: s3://fraud/four/
    target: gs://fraud/three/
{GATE.replace("moved", "no moved")}pipelines: [1]
"""
    problems = problems_of(tmp_path, text)
    assert [problem.mark for problem in problems] == sorted(problem.mark for problem in problems)
    assert [(problem.code, problem.field) for problem in problems] == [
        ("2121", "owner"),
        ("2127", "migration"),
        ("2122", "datasets[0].on_conflict"),
        ("2124", "datasets[0].limits.part_size"),
        ("2124", "datasets[0].limits.shard_objects"),
        ("2120", "datasets[1].owner"),
        ("2158", "datasets[3].target.url"),
        ("2127", "gates[0].name"),
        ("2123", "pipelines[0]"),
    ]


def test_the_error_tells_five_parts_and_every_problem(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL.replace("s3://", "gs://") + "nonsense: 1\n")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    message = str(caught.value)
    assert message.startswith(f"reading the migration spec {path} failed: got 2 problems, expected none.")
    assert "\n  - line 8, column 13, datasets[0].source.url: got gs:// for the source platform aws" in message
    assert "\n  - line 10, column 1, nonsense: got the unknown key 'nonsense'" in message
    assert "[HL-2153]\n" in message
    assert "State: nothing of this file is used, nothing was touched." in message
    assert f"To fix: correct the file, then run: python -m heavylift spec check {path}." in message
    assert message.endswith("Retry: safe. [HL-2100]")


def test_a_single_problem_gives_the_error_its_code(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "nonsense: 1\n")
    with pytest.raises(SpecFileError) as caught:
        load_spec(path)
    assert caught.value.code == "2120"
    assert "\n" not in str(caught.value)
    assert "failed: line 10, column 1, nonsense: got the unknown key 'nonsense'" in str(caught.value)


def test_the_error_travels_between_processes(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "nonsense: 1\n")
    with pytest.raises(SpecFileError) as caught:
        load_spec(path)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.problems == caught.value.problems
    assert copy.attrs()["problems"][0]["code"] == "2120"


def test_a_thousand_problems_do_not_flood_the_log(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "".join(f"nonsense{n}: 1\n" for n in range(1000)))
    with pytest.raises(SpecFileError) as caught:
        load_spec(path)
    assert len(caught.value.problems) == 1000
    assert str(caught.value).count("\n") < 50
    assert "and 960 more" in str(caught.value)


def test_no_field_of_the_spec_is_taken_for_a_secret() -> None:
    from heavylift.spec.reference import field_rows

    names = {part.removesuffix("[]") for row in field_rows() for part in row.name.split(".")}
    assert not {name for name in names if names_secret(name)}


STREAM = """\
streams:
  - name: events
    source: {engine: %s, connection: kafka_source}
    target: {engine: %s, connection: %s}
"""


@pytest.mark.parametrize("engine", ["kinesis", "pubsub"])
def test_a_stream_of_a_product_that_is_not_mirrored_yet_is_refused_by_name(
    tmp_path: Path, engine: str
) -> None:
    (problem,) = problems_of(tmp_path, MINIMAL + STREAM % (engine, "kafka", "kafka_target"))
    assert (problem.code, problem.field) == ("6590", "streams[0].source.engine")
    assert f"{engine!r}, understood but not yet supported" in problem.render()
    assert "event_hubs or kafka" in problem.render()


def test_a_stream_into_itself_is_refused(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, MINIMAL + STREAM % ("kafka", "kafka", "kafka_source"))
    assert problem.code == "6591"


@pytest.mark.parametrize("engine", ["kafka", "event_hubs"])
def test_streams_over_the_kafka_protocol_are_taken(tmp_path: Path, engine: str) -> None:
    assert load_spec(write(tmp_path, MINIMAL + STREAM % ("kafka", engine, "kafka_target"))).streams
