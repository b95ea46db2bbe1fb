"""SageMaker Feature Store for tests: moto makes and describes groups, the rest is answered here.

moto lacks ListFeatureGroups, DescribeFeatureMetadata and the runtime, and forgets online stores and
descriptions. Each request is checked by botocore's models; what they do not allow is kept in ``rejected``.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

import boto3
import botocore.session
from botocore.validate import ParamValidator
from moto.server import ThreadedMotoServer

from heavylift.connections import Connection

ROLE = "arn:aws:iam::123456789012:role/features"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


class RefusedError(Exception):
    """An error that the service answers."""


def _fits(kind: str, value: dict[str, Any]) -> bool:
    """Tell whether a value is of a type, as the service judges texts."""
    try:
        for text in value.get("ValueAsStringList", [value.get("ValueAsString")]):
            {"Integral": int, "Fractional": float, "String": str}[kind](text)
    except ValueError:
        return False
    return True


class FeatureGroupServer:
    """A server for both of the services.

    :param beside: another one, whose moto has this one's groups and buckets, too, in another region.
    :ivar records: group → key → record, as the online store has it.
    :ivar metadata: (group, feature) → description and parameters.
    :ivar unprocessed: how many keys of a batch are left out the first time.
    :ivar refuses: the online store answers nothing but errors.
    :ivar creating: how often a new group says that it is being made.
    """

    def __init__(self, region: str = "us-east-1", beside: FeatureGroupServer | None = None) -> None:
        self.region = region
        self.records: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.metadata: dict[tuple[str, str], dict[str, Any]] = {}
        self.created: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = {}
        self.creating = 0
        self.rejected: list[str] = []
        self.asked: list[str] = []
        self.unprocessed = self.throttled = 0
        self._lock = threading.Lock()
        self.refuses = False
        self.page = 1
        session = botocore.session.get_session()
        self._models = [
            session.get_service_model(name) for name in ("sagemaker", "sagemaker-featurestore-runtime")
        ]
        self._moto = None if beside else ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        if self._moto is not None:
            self._moto.start()
            host, port = self._moto.get_host_and_port()
            self.moto_url = f"http://{host}:{port}"
            # Its state is the process's, and outlives a server.
            urlopen(Request(f"{self.moto_url}/moto-api/reset", method="POST")).close()
        elif beside is not None:
            self.moto_url = beside.moto_url
        keys = {**KEYS, "region_name": region}
        self._control = boto3.client("sagemaker", endpoint_url=self.moto_url, **keys)
        self.s3 = boto3.client("s3", endpoint_url=self.moto_url, **KEYS)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def connection(self) -> Connection:
        """The connection to it; S3 is moto's."""
        extra = {
            "region_name": self.region,
            "endpoint_url": self.url,
            "feature_role_arn": ROLE,
            "service_config": {"s3": {"endpoint_url": self.moto_url}},
        }
        return Connection(f"sagemaker_{self.region}", "aws", login="test", password="test", extra=extra)

    def close(self) -> None:
        """Stop both servers."""
        self._http.shutdown()
        self._http.server_close()
        if self._moto is not None:
            self._moto.stop()

    @property
    def writes(self) -> list[str]:
        """Operations that were asked for and change something."""
        return [each for each in self.asked if not each.startswith(("List", "Describe", "BatchGet"))]

    def create(self, **request: Any) -> str:
        """Make a group in moto, and return where its history lies."""
        self.created[request["FeatureGroupName"]] = request
        self._control.create_feature_group(**request)
        told = self._control.describe_feature_group(FeatureGroupName=request["FeatureGroupName"])
        return str(told["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"])

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what the service would."""
        self._check(operation, asked)
        self.asked.append(operation)
        return getattr(self, f"_{operation}")(asked)

    def _check(self, operation: str, asked: dict[str, Any]) -> None:
        for model in self._models:
            if operation in model.operation_names:
                shape = model.operation_model(operation).input_shape
                report = ParamValidator().validate(asked, shape)
                unknown = set(asked) - set(shape.members)
                if report.has_errors() or unknown:
                    self.rejected.append(f"{operation}: {report.generate_report()} {sorted(unknown)}")
                return
        self.rejected.append(f"{operation}: no such operation")

    def _ListFeatureGroups(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        names = sorted(self.created)
        start = int(asked.get("NextToken") or 0)
        arn = f"arn:aws:sagemaker:{self.region}:123456789012:feature-group"
        listed = [
            {"FeatureGroupName": name, "FeatureGroupArn": f"{arn}/{name}", "CreationTime": 1.0}
            for name in names[start : start + self.page]
        ]
        more = {"NextToken": str(start + self.page)} if start + self.page < len(names) else {}
        return {"FeatureGroupSummaries": listed, **more}

    def _DescribeFeatureGroup(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["FeatureGroupName"]
        if name not in self.created:
            raise RefusedError("ResourceNotFound", f"no feature group {name}")
        told = self._control.describe_feature_group(FeatureGroupName=name)
        told.pop("ResponseMetadata")
        told["CreationTime"] = told["CreationTime"].timestamp()
        made = self.created[name]
        if self.looks.get(name):
            self.looks[name] -= 1
            told["FeatureGroupStatus"] = "Creating"
        told |= {each: made[each] for each in ("OnlineStoreConfig", "Description") if each in made}
        if "OfflineStoreConfig" not in made:
            del told["OfflineStoreConfig"]
        definitions, half = made["FeatureDefinitions"], len(made["FeatureDefinitions"]) // 2
        if asked.get("NextToken"):
            return {**told, "FeatureDefinitions": definitions[half:]}
        return {**told, "FeatureDefinitions": definitions[:half], "NextToken": "more"}

    def _DescribeFeatureMetadata(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self.metadata.get((asked["FeatureGroupName"], asked["FeatureName"]), {})

    def _ListTags(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["ResourceArn"].rpartition("/")[2]
        return {"Tags": next((g.get("Tags", []) for n, g in self.created.items() if n.lower() == name), [])}

    def _BatchGetRecord(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        (group,) = asked["Identifiers"]
        names = group["RecordIdentifiersValueAsString"]
        left, self.unprocessed = names[: self.unprocessed], 0
        if self.refuses:
            error = {"ErrorCode": "AccessForbidden", "ErrorMessage": "no", **group}
            error["RecordIdentifierValueAsString"] = error.pop("RecordIdentifiersValueAsString")[0]
            return {"Records": [], "Errors": [error], "UnprocessedIdentifiers": []}
        held = self.records.get(group["FeatureGroupName"], {})
        records = [
            {
                "FeatureGroupName": group["FeatureGroupName"],
                "RecordIdentifierValueAsString": name,
                "Record": held[name],
            }
            for name in names
            if name in held and name not in left
        ]
        unprocessed = [{**group, "RecordIdentifiersValueAsString": left}] if left else []
        return {"Records": records, "Errors": [], "UnprocessedIdentifiers": unprocessed}

    def _CreateFeatureGroup(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["FeatureGroupName"]
        if name in self.created:
            raise RefusedError("ResourceInUse", f"{name} exists")
        self.create(**asked)
        self.looks[name] = self.creating
        return {"FeatureGroupArn": f"arn:aws:sagemaker:{self.region}:123456789012:feature-group/{name}"}

    def _UpdateFeatureGroup(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        made = self.created[asked["FeatureGroupName"]]
        made["FeatureDefinitions"] = [*made["FeatureDefinitions"], *asked.get("FeatureAdditions", [])]
        if asked.get("OnlineStoreConfig"):
            made["OnlineStoreConfig"] = {**made["OnlineStoreConfig"], **asked["OnlineStoreConfig"]}
        return {"FeatureGroupArn": f"arn:aws:sagemaker:{self.region}:123456789012:feature-group/x"}

    def _UpdateFeatureMetadata(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        held = self.metadata.setdefault((asked["FeatureGroupName"], asked["FeatureName"]), {})
        if "Description" in asked:
            held["Description"] = asked["Description"]
        pairs = {each["Key"]: each["Value"] for each in held.get("Parameters", [])}
        pairs |= {each["Key"]: each["Value"] for each in asked.get("ParameterAdditions", [])}
        gone = asked.get("ParameterRemovals", [])
        held["Parameters"] = [{"Key": k, "Value": v} for k, v in pairs.items() if k not in gone]
        return {}

    def _AddTags(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        made = self._tagged(asked["ResourceArn"])
        pairs = {each["Key"]: each["Value"] for each in [*made.get("Tags", []), *asked["Tags"]]}
        made["Tags"] = [{"Key": key, "Value": value} for key, value in pairs.items()]
        return {"Tags": made["Tags"]}

    def _DeleteTags(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        made = self._tagged(asked["ResourceArn"])
        made["Tags"] = [each for each in made.get("Tags", []) if each["Key"] not in asked["TagKeys"]]
        return {}

    def _tagged(self, arn: str) -> dict[str, Any]:
        name = arn.rpartition("/")[2].lower()
        return next(made for known, made in self.created.items() if known.lower() == name)

    def _PutRecord(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if self.throttled:
            self.throttled -= 1
            raise RefusedError("ThrottlingException", "slower")
        made = self.created[asked["FeatureGroupName"]]
        values = {each["FeatureName"]: each for each in asked["Record"]}
        kinds = {each["FeatureName"]: each["FeatureType"] for each in made["FeatureDefinitions"]}
        wrong = [name for name, each in values.items() if name not in kinds or not _fits(kinds[name], each)]
        moment = made["EventTimeFeatureName"]
        key = values[made["RecordIdentifierFeatureName"]]["ValueAsString"]
        if wrong or moment not in values or asked["TargetStores"] != ["OnlineStore"]:
            self.rejected.append(f"PutRecord: {wrong} of {sorted(values)}")
            raise RefusedError("ValidationError", f"{wrong}")
        with self._lock:
            held = self.records.setdefault(asked["FeatureGroupName"], {})
            before = {each["FeatureName"]: each for each in held.get(key, [])}
            # An older event time never replaces a newer one.
            if not before or float(values[moment]["ValueAsString"]) >= float(before[moment]["ValueAsString"]):
                held[key] = asked["Record"]
        return {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                target = self.headers.get("X-Amz-Target") or self.path
                operation = target.rpartition(".")[2].rpartition("/")[2]
                self._answer(operation, json.loads(body or b"{}"))

            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                assert self.path.startswith("/FeatureGroup/")
                self._answer("PutRecord", {"FeatureGroupName": self.path.rpartition("/")[2], **body})

            def _answer(self, operation: str, asked: dict[str, Any]) -> None:
                try:
                    status, told = 200, server.answer(operation, asked)
                except RefusedError as error:
                    status, told = 400, {"__type": error.args[0], "message": error.args[1]}
                answer = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler
