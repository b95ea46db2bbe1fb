"""Converts bare boosters of XGBoost and LightGBM to ONNX; loaded by ``converter.py`` beside it.

A booster answers by its objective: with numbers, with the probability of one class, with one of each
class, or with the class. The converters make a classifier of it, with labels and scores; what the
booster itself answers is taken out of those.
"""

from __future__ import annotations

import json
from typing import Any

_OPSET = 15
_XG_NUMBERS = frozenset(
    {
        "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:gamma",
        "reg:tweedie", "reg:quantileerror", "count:poisson",
    }
)  # fmt: skip
_XG = {"binary:logistic": "positive", "multi:softprob": "each", "multi:softmax": "label"}
_LIGHT_NUMBERS = frozenset(
    {
        "regression", "regression_l1", "regression_l2", "huber", "fair", "quantile", "mape", "poisson",
        "gamma", "tweedie", "lambdarank", "rank_xendcg",
    }
)  # fmt: skip
_LIGHT = {"binary": "positive", "multiclass": "each"}


def convert(_model: Any, raw: Any, table: Any) -> tuple[Any, dict[str, Any]]:
    """Return the ONNX form of a booster; nothing, with the reason, where there is no faithful one."""
    package = type(raw).__module__.split(".")[0]
    what, problem = _xgboost(raw) if package == "xgboost" else _lightgbm(raw)
    if problem:
        return None, {"missing": [problem]}
    made = _converted(package, raw, table.shape[1])
    _answer(made, what)
    return made, {"missing": [], "of": f"{package} Booster"}


def _xgboost(raw: Any) -> tuple[str, str]:
    learner = json.loads(raw.save_config())["learner"]
    kind = learner["gradient_booster"]["name"]
    objective = learner["objective"]["name"]
    if kind != "gbtree":
        return "", f"xgboost booster {kind}"
    if objective in _XG_NUMBERS:
        return "numbers", ""
    return (_XG[objective], "") if objective in _XG else ("", f"xgboost objective {objective}")


def _lightgbm(raw: Any) -> tuple[str, str]:
    lines = raw.model_to_string(num_iteration=1).splitlines()
    told = next((line[10:] for line in lines if line.startswith("objective=")), "")
    objective = told.split(" ")[0]
    if objective in _LIGHT_NUMBERS:
        return "numbers", ""
    return (_LIGHT[objective], "") if objective in _LIGHT else ("", f"lightgbm objective {objective}")


def _converted(package: str, raw: Any, columns: int) -> Any:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    inputs = [("inputs", FloatTensorType([None, columns]))]
    if package == "xgboost":
        # Its converter knows columns by number only.
        raw.feature_names = None
        return onnxmltools.convert_xgboost(raw, initial_types=inputs, target_opset=_OPSET)
    return onnxmltools.convert_lightgbm(raw, initial_types=inputs, target_opset=_OPSET, zipmap=False)


def _answer(made: Any, what: str) -> None:
    """Leave one output: what the booster itself answers."""
    from onnx import TensorProto, helper

    graph = made.graph
    first, last = graph.output[0].name, graph.output[-1].name
    if what == "positive":
        graph.initializer.append(helper.make_tensor("heavylift_one", TensorProto.INT64, [1], [1]))
        node = helper.make_node("Gather", [last, "heavylift_one"], ["answer"], axis=1)
        shape: list[Any] = [None, 1]
    elif what == "label":
        node, shape = helper.make_node("Cast", [first], ["answer"], to=TensorProto.FLOAT), [None]
    else:
        node, shape = helper.make_node("Identity", [last], ["answer"]), [None, None]
    graph.node.append(node)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("answer", TensorProto.FLOAT, shape))
