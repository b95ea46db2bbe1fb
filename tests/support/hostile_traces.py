"""Traces that are hard to carry: in every state, with spans here and there, judged and judged anew."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.support.history import V2, V3
from tests.support.hostile import Hostile, put


def fill_traces(made: Hostile) -> None:
    for number in range(12):
        raw = bytes([number + 1]) * 16
        trace = f"tr-{raw.hex()}"
        run, experiment = made.runs[number % 3]
        info: dict[str, Any] = {
            "trace_id": trace,
            "trace_location": {
                "type": "MLFLOW_EXPERIMENT",
                "mlflow_experiment": {"experiment_id": experiment},
            },
            "request_time": f"2025-10-09T08:53:{20 + number}.{number:03d}Z",
            "execution_duration": f"{number}.00{number % 10}s",
            "state": ("OK", "ERROR", "IN_PROGRESS", "STATE_UNSPECIFIED")[number % 4],
            "request_preview": json.dumps({"q": made.word()}),
            "response_preview": made.word(),
            "trace_metadata": {
                "mlflow.trace.session": f"s{number % 2}",
                "mlflow.trace.user": made.word(),
                "mlflow.trace.tokenUsage": json.dumps(
                    {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
                ),
                "long": "ö" * 5000,
                "empty": "",
            },
            "tags": {"mlflow.traceName": made.word(), **made.texts()},
        }
        if number % 3 == 0:
            info["trace_metadata"]["mlflow.sourceRun"] = run
        if number % 5 == 1:
            info["trace_metadata"]["mlflow.modelId"] = made.models[0]
        if number % 2:
            info["client_request_id"] = f"{made.word()} {number}"
        made.ask("POST", f"{V3}/traces", {"trace": {"trace_info": info}})
        if number == 6:
            # As older servers keep them, and some clients to this day.
            place = f"mlflow-artifacts:/{experiment}/traces/{trace}/artifacts"
            put(made, place, "traces.json", json.dumps({"spans": [], "ü": made.word()}).encode())
        elif number != 5:
            _spans(made, raw, experiment, number)
        _assess(made, trace, number)
        made.traces.append(trace)
    ids = [{"name": "a prompt that is not there", "version": "3"}]
    body = {"trace_id": made.traces[1], "prompt_versions": ids}
    made.ask("POST", f"{V2}/traces/link-prompts", body)
    other = made.runs[4][0]
    made.ask("POST", f"{V2}/traces/link-to-run", {"trace_ids": made.traces[:2], "run_id": other})


def _spans(made: Hostile, raw: bytes, experiment: str, number: int) -> None:
    began = 1_760_000_000_123_456_789
    spans = []
    for n in range(3):
        attributes = [
            {"key": "mlflow.spanType", "value": {"string_value": json.dumps("LLM")}},
            {"key": "text", "value": {"string_value": made.word() * 50}},
            {"key": "n", "value": {"int_value": -n}},
            {"key": "far", "value": {"int_value": 2**53 + 1}},
            {"key": "d", "value": {"double_value": 0.1}},
            {"key": "b", "value": {"bool_value": False}},
            {"key": "list", "value": {"array_value": {"values": [{"string_value": "ü"}, {"int_value": 2}]}}},
        ]
        spans.append(
            {
                "trace_id": base64.b64encode(raw).decode(),
                "span_id": base64.b64encode(bytes([n + 1]) * 8).decode(),
                "parent_span_id": base64.b64encode(bytes([1]) * 8).decode() if n else "",
                "name": f"{made.word()} {n}",
                "start_time_unix_nano": began + n,
                "end_time_unix_nano": began + n + 5_000_001 if n < 2 or number % 4 else 0,
                "attributes": attributes,
                "events": [
                    {
                        "name": "exception",
                        "time_unix_nano": began + 5,
                        "attributes": [{"key": "exception.message", "value": {"string_value": made.word()}}],
                    }
                ]
                * (n == 1),
                "status": {"code": "STATUS_CODE_ERROR", "message": made.word()}
                if n == 1
                else {"code": "STATUS_CODE_UNSET"},
            }
        )
    body = {"resource_spans": [{"scope_spans": [{"spans": spans}]}]}
    made.ask("POST", "v1/traces", body, X_MLflow_Experiment_Id=experiment)


def _assess(made: Hostile, trace: str, number: int) -> None:
    values: list[dict[str, Any]] = [
        {"feedback": {"value": made.word()}, "rationale": made.word() * 30},
        {"feedback": {"value": {"deep": [1, None, {"ü": True}]}}},
        {"feedback": {"value": None, "error": {"error_code": "E", "error_message": made.word()}}},
        {"expectation": {"value": 0.1}},
        {"expectation": {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": '["a", "b"]'}}},
        {
            "feedback": {"value": 0},
            "metadata": {"k": made.word(), "mlflow.assessment.sourceRunId": made.runs[0][0]},
        },
    ]
    ids = []
    for n, value in enumerate(values[: 1 + number % len(values)] if number else values):
        kind = ("HUMAN", "LLM_JUDGE", "CODE")[n % 3]
        body = {
            "assessment_name": f"{made.word()} {n}",
            "source": {"source_type": kind, "source_id": made.word()},
            **value,
        }
        if n == 1 and number != 5:
            body["span_id"] = "0101010101010101"
        answer = made.ask("POST", f"{V3}/traces/{trace}/assessments", {"assessment": body})
        ids.append(str(answer["assessment"]["assessment_id"]))
    if number % 3 == 0:
        # Overruled, and what overruled it overruled again.
        for n in range(2):
            body = {
                "assessment_name": f"over {n}",
                "source": {"source_type": "HUMAN", "source_id": "u"},
                "feedback": {"value": n},
                "overrides": ids[0] if n == 0 else ids[-1],
            }
            answer = made.ask("POST", f"{V3}/traces/{trace}/assessments", {"assessment": body})
            ids.append(str(answer["assessment"]["assessment_id"]))
