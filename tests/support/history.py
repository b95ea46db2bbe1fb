"""A small history that clients have written to a tracking server: a little of everything, oddly named."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.support.tracking_server import Server

V2, V3 = "api/2.0/mlflow", "api/3.0/mlflow"
BEGAN = 1_760_000_000_000
ODD = "Team/ä \"quoted\" 'ß' %2F 漢字"
ODD_KEY = "Team/ä 漢字: x.y-z"
LONG_KEY = "k" * 250


def fill(server: Server) -> None:
    """Fill an empty server."""
    first = experiment(server, ODD)
    second = experiment(server, "second")
    gone = experiment(server, "deleted one")
    parent = run(server, first, 0)
    child = run(server, first, 1, {"mlflow.parentRunId": parent})
    odd(server, parent)
    dead = run(server, first, 2, status="FAILED")
    server.ask("POST", f"{V2}/runs/delete", {"run_id": dead})
    run(server, second, 3, status=None)
    run(server, gone, 4)
    model = logged_model(server, first, parent)
    logged_model(server, second, None, status=3)
    links(server, child, model)
    trace(server, first, parent, 1)
    trace(server, first, parent, 2)
    overrule(server, 1)
    registered(server, parent, model)
    prompts(server, second)
    evaluation(server, second)
    server.ask("POST", f"{V2}/experiments/delete", {"experiment_id": gone})


def experiment(server: Server, name: str) -> str:
    tags = [{"key": "mlflow.note.content", "value": f"about {name}"}, {"key": LONG_KEY, "value": "v" * 5000}]
    return str(server.ask("POST", f"{V2}/experiments/create", {"name": name, "tags": tags})["experiment_id"])


def run(
    server: Server,
    experiment: str,
    number: int,
    tags: dict[str, str] | None = None,
    status: str | None = "FINISHED",
) -> str:
    began = BEGAN + number * 1000
    body = {
        "experiment_id": experiment,
        "user_id": f"user{number}",
        "start_time": began,
        "run_name": f"run {number}",
    }
    made = str(server.ask("POST", f"{V2}/runs/create", body)["run"]["info"]["run_id"])
    given = {"mlflow.user": f"user{number}", **(tags or {})}
    metrics = [
        {"key": f"loss/{key}", "value": step / 7 + key, "timestamp": began + step, "step": step}
        for key in range(2)
        for step in range(6)
    ]
    server.ask(
        "POST",
        f"{V2}/runs/log-batch",
        {
            "run_id": made,
            "metrics": metrics,
            "params": [{"key": "depth", "value": str(number)}, {"key": "text", "value": "ü" * 6000}],
            "tags": pairs(given),
        },
    )
    dataset = {
        "name": "set",
        "digest": "abc",
        "source_type": "s3",
        "source": '{"uri": "s3://old/data"}',
        "schema": "{}",
        "profile": "{}",
    }
    inputs = [{"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "training"}]}]
    server.ask("POST", f"{V2}/runs/log-inputs", {"run_id": made, "datasets": inputs})
    if status:
        server.ask("POST", f"{V2}/runs/update", {"run_id": made, "status": status, "end_time": began + 777})
    put(server, f"{experiment}/{made}/artifacts/model/MLmodel", b"flavors: {}\n")
    put(server, f"{experiment}/{made}/artifacts/a%20b/%C3%BC.bin", bytes(range(256)) * number)
    return made


def odd(server: Server, run: str) -> None:
    """Log what is hard to carry: NaN, ends of what there is, points at one step, tags like the mover's."""
    values = ["NaN", 1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 0.1, 0.0]
    points = [
        {"key": "edge", "value": v, "timestamp": BEGAN, "step": -1 + n % 3} for n, v in enumerate(values)
    ]
    tags = {
        LONG_KEY: "x" * 8000,
        "heavylift.source.id": "an earlier one",
        "heavylift.earlier.source.id": "older",
        "heavylift.source.registry": "m/history",
        ODD_KEY: ODD,
    }
    server.ask("POST", f"{V2}/runs/log-batch", {"run_id": run, "metrics": points, "tags": pairs(tags)})


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def put(server: Server, path: str, data: bytes) -> None:
    server.ask("PUT", f"api/2.0/mlflow-artifacts/artifacts/{path}", data)


def logged_model(server: Server, experiment: str, run: str | None, status: int = 2) -> str:
    body: dict[str, Any] = {
        "experiment_id": experiment,
        "name": "forest",
        "model_type": "Classifier",
        "params": pairs({"trees": "7"}),
        "tags": pairs({"team": "fraud"}),
    }
    if run:
        body["source_run_id"] = run
    made = str(server.ask("POST", f"{V2}/logged-models", body)["model"]["info"]["model_id"])
    server.ask("PATCH", f"{V2}/logged-models/{made}", {"model_id": made, "status": status})
    put(server, f"{experiment}/models/{made}/artifacts/MLmodel", b"model\n")
    return made


def links(server: Server, run: str, model: str) -> None:
    """Log a metric for a model and a dataset, and the model as what came of one run and went into another."""
    point = {
        "key": "auc",
        "value": 0.875,
        "timestamp": BEGAN,
        "step": 1,
        "model_id": model,
        "dataset_name": "set",
        "dataset_digest": "abc",
        "run_id": run,
    }
    unknown = {**point, "key": "f1", "value": "NaN"}
    server.ask("POST", f"{V2}/runs/log-batch", {"run_id": run, "metrics": [point, unknown]})
    server.ask("POST", f"{V2}/runs/log-inputs", {"run_id": run, "models": [{"model_id": model}]})
    server.ask("POST", f"{V2}/runs/outputs", {"run_id": run, "models": [{"model_id": model, "step": 3}]})


def trace(server: Server, experiment: str, run: str, number: int) -> None:
    trace_of(server, experiment, run, bytes([number]) * 16, f"c{number}")


def trace_of(server: Server, experiment: str, run: str, raw: bytes, client: str = "") -> None:
    """Write a trace of a given id."""
    name = f"tr-{raw.hex()}"
    feedback = {
        "assessment_id": f"a-{raw.hex()}",
        "assessment_name": "correct",
        "trace_id": name,
        "source": {"source_type": "HUMAN", "source_id": "user1"},
        "feedback": {"value": True},
        "create_time": "2025-10-09T08:53:21Z",
        "last_update_time": "2025-10-09T08:53:22Z",
        "valid": True,
        "metadata": {"mlflow.assessment.sourceRunId": run},
    }
    info = {
        "trace_id": name,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
        "request_time": "2025-10-09T08:53:20.123Z",
        "execution_duration": "0.007s",
        "state": "OK",
        "request_preview": '{"q": "why"}',
        "response_preview": "because",
        "client_request_id": client,
        "trace_metadata": {"mlflow.sourceRun": run, "mlflow.trace.session": "s1"},
        "tags": {"mlflow.traceName": "answer", "team": ODD},
        "assessments": [feedback],
    }
    server.ask("POST", f"{V3}/traces", {"trace": {"trace_info": info}})
    began = 1_760_000_000_123_000_000
    spans = [
        {
            "trace_id": base64.b64encode(raw).decode(),
            "span_id": base64.b64encode(bytes([n + 1]) * 8).decode(),
            "parent_span_id": base64.b64encode(bytes([1]) * 8).decode() if n else "",
            "name": f"step {n}",
            "start_time_unix_nano": began + n,
            "end_time_unix_nano": began + n + 5_000_001,
            "attributes": [
                {"key": "mlflow.spanType", "value": {"string_value": "LLM"}},
                {"key": "n", "value": {"int_value": n}},
            ],
            "status": {"code": "STATUS_CODE_OK"},
        }
        for n in range(3)
    ]
    body = {"resource_spans": [{"scope_spans": [{"spans": spans}]}]}
    server.ask("POST", "v1/traces", body, X_MLflow_Experiment_Id=experiment)


def overrule(server: Server, number: int) -> None:
    """Judge a trace anew: what was said before is valid no more."""
    trace = f"tr-{(bytes([number]) * 16).hex()}"
    judged = {
        "assessment_name": "correct",
        "source": {"source_type": "HUMAN", "source_id": "user2"},
        "feedback": {"value": False},
        "overrides": f"a-{trace.removeprefix('tr-')}",
    }
    server.ask("POST", f"{V3}/traces/{trace}/assessments", {"assessment": judged})


def registered(server: Server, run: str, model: str) -> None:
    """Register a model whose versions have a gap, one of them from a run and one from a logged model."""
    name = "fraud 'ü'"
    server.ask(
        "POST",
        f"{V2}/registered-models/create",
        {"name": name, "description": "about it", "tags": pairs({"tier": "gold"})},
    )
    place = server.ask("GET", f"{V2}/runs/get?run_id={run}")["run"]["info"]["artifact_uri"]
    sources = [
        {"source": f"{place}/model", "run_id": run, "description": "first"},
        {"source": f"{place}/model", "run_id": run},
        {"source": f"models:/{model}", "model_id": model, "tags": pairs({"why": ODD})},
        {"source": f"runs:/{run}/model", "run_id": run},
    ]
    for source in sources:
        server.ask("POST", f"{V2}/model-versions/create", {"name": name, **source})
    server.ask("DELETE", f"{V2}/model-versions/delete", {"name": name, "version": "2"})
    stage = {"name": name, "version": "1", "stage": "Archived", "archive_existing_versions": False}
    server.ask("POST", f"{V2}/model-versions/transition-stage", stage)
    server.ask("POST", f"{V2}/registered-models/alias", {"name": name, "alias": "champion", "version": "3"})
    copy = "copied"
    server.ask("POST", f"{V2}/registered-models/create", {"name": copy})
    server.ask("POST", f"{V2}/model-versions/create", {"name": copy, "source": f"models:/{name}/3"})
    # By the place of a logged model's files, as clients before MLflow 3 do: no answer tells the model again.
    files = server.ask("GET", f"{V2}/logged-models/{model}")["model"]["info"]["artifact_uri"]
    body = {"name": copy, "source": files, "run_id": run, "model_id": model}
    server.ask("POST", f"{V2}/model-versions/create", body)


def prompts(server: Server, experiment: str) -> None:
    mark = {"mlflow.prompt.is_prompt": "true"}
    tags = pairs({**mark, "_mlflow_experiment_ids": f",{experiment},"})
    server.ask("POST", f"{V2}/registered-models/create", {"name": "prompt", "tags": tags})
    for number in range(1, 4):
        text = json.dumps(f"answer {number} {{{{q}}}}")
        tags = pairs({**mark, "mlflow.prompt.text": text, "_mlflow_prompt_type": "text"})
        body = {
            "name": "prompt",
            "source": "prompt-template",
            "description": f"commit {number}",
            "tags": tags,
        }
        server.ask("POST", f"{V2}/model-versions/create", body)
    server.ask("POST", f"{V2}/registered-models/alias", {"name": "prompt", "alias": "live", "version": "2"})


def evaluation(server: Server, experiment: str) -> None:
    """Make an evaluation dataset, a scorer and a webhook."""
    body = {"name": "golden", "experiment_ids": [experiment], "tags": json.dumps({"owner": "us"})}
    made = server.ask("POST", f"{V3}/datasets/create", body)["dataset"]["dataset_id"]
    records = [
        {"inputs": {"q": f"why {n}"}, "expectations": {"a": "because"}, "tags": {"n": str(n)}}
        for n in range(5)
    ]
    server.ask("POST", f"{V3}/datasets/{made}/records", {"records": json.dumps(records)})
    for version in (1, 2):
        scorer = {
            "name": "relevance",
            "builtin_scorer_class": "RelevanceToQuery",
            "builtin_scorer_pydantic_data": {},
            "version": version,
        }
        server.ask(
            "POST",
            f"{V3}/scorers/register",
            {"experiment_id": experiment, "name": "relevance", "serialized_scorer": json.dumps(scorer)},
        )
    server.ask(
        "POST",
        f"{V2}/webhooks",
        {
            "name": "on-model",
            "url": "https://93.184.215.14/hook",
            "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
        },
    )
