"""Opens both sides of a comparison: models in processes of their own, or endpoints."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from heavylift.connections import Connection
from heavylift.environments import Solved, Solver
from heavylift.errors import ConflictError, UnsupportedError
from heavylift.evidence.model_records import ModelSide
from heavylift.evidence.records import Severity
from heavylift.models.checking import Checked, target_python
from heavylift.models.fetching import FetchedModel
from heavylift.models.requests import ModelRequest
from heavylift.models.runtime import Runtime, minor_of, plain_requirements
from heavylift.models.sessions import ModelProcess, Session
from heavylift.models.work import Work
from heavylift.scoring.endpoints import EndpointSession
from heavylift.scoring.golden import Golden

WEIGHTS_FILE = "model.safetensors"
_FRAMEWORKS = (
    "sklearn",
    "xgboost",
    "lightgbm",
    "catboost",
    "pytorch",
    "tensorflow",
    "keras",
    "onnx",
    "python_function",
)


@dataclass(frozen=True)
class Prepared:
    """One side before it is started.

    :param checked: None where an endpoint answers.
    :param key: the same for environments that are the same.
    :param weights: tensors that take the place of the model's own.
    """

    side: str
    checked: Checked | None = None
    endpoint: Connection | None = None
    interpreter: Path | None = None
    key: str = ""
    framework: str = ""
    weights: FetchedModel | None = None

    @property
    def url(self) -> str:
        """Where it is, for people; of an endpoint the connection's name."""
        if self.weights is not None:
            return self.weights.url
        if self.checked is not None:
            return self.checked.fetched.url
        return f"endpoint {self.endpoint.conn_id}" if self.endpoint else ""


@dataclass(frozen=True)
class Sides:
    """Both sides, answering; ``again`` is the source a second time, in a fresh process.

    :param repeat: starts the target a second time, which only some comparisons need.
    """

    source: Session
    again: Session
    target: Session
    repeat: Callable[[], Session]


def prepare(request: ModelRequest, side: str, checked: Checked | None, solver: Solver) -> Prepared:
    """Build one side's environment.

    :raises ConflictError: its files were not found to be safe; it is not run.
    :raises UnsupportedError: its environment cannot be built.
    """
    if checked is None:
        endpoint = request.source_endpoint if side == "source" else request.target_endpoint
        return Prepared(side, endpoint=endpoint, key=f"endpoint {side}", framework="endpoint")
    demand_safe(request, side, checked)
    layout, options = checked.layout, request.check
    if not layout.answers:
        raise _no_answers(request, side, layout.form)
    runtime = options.target_runtime if side == "target" else options.source_runtime
    python = target_python(layout, options) if side == "target" else _source_python(checked, runtime)
    solved = solver.solve(
        plain_requirements(layout), python, constraints=runtime.constraints if runtime else ()
    )
    if solved.problem:
        raise _unsolvable(request, side, solved)
    interpreter = solver.build(solved, python)
    framework = next((each for each in _FRAMEWORKS if each in layout.flavors), layout.form)
    return Prepared(side, checked, None, interpreter, f"{python} {solved.digest}", framework)


def demand_safe(request: ModelRequest, side: str, checked: Checked | None) -> None:
    """Return where nothing keeps a side from being run.

    :raises ConflictError: its files were not found to be safe.
    """
    if checked is not None and not checked.is_safe:
        raise _unsafe(request, side, checked)


def _source_python(checked: Checked, runtime: Runtime | None) -> str:
    return minor_of((runtime.python if runtime else "") or checked.layout.python or "3.11")


def distance(source: Prepared, target: Prepared) -> str:
    """Return how far the two environments are apart: ``same``, ``framework`` or ``runtime``."""
    if source.endpoint or target.endpoint:
        return "framework" if source.endpoint and target.endpoint else "runtime"
    if source.framework != target.framework or _form(source) != _form(target):
        return "runtime"
    return "same" if source.key == target.key else "framework"


def _form(prepared: Prepared) -> str:
    return prepared.checked.layout.form if prepared.checked else ""


@contextmanager
def opened(
    request: ModelRequest, pair: tuple[Prepared, Prepared], golden: Golden, work: Work
) -> Iterator[Sides]:
    """Start both sides, and the source a second time; end all of them at the end of the block."""
    source, target = pair
    with ExitStack() as stack:
        sessions: list[ModelProcess | EndpointSession] = []
        for each, name in ((source, "the source"), (source, "the source, again"), (target, "the target")):
            sessions.append(_session(request, each, name, golden, work))
            stack.enter_context(sessions[-1])
        for session in sessions:
            _load(session, golden, work)

        def repeat() -> Session:
            session = _session(request, target, "the target, again", golden, work)
            stack.enter_context(session)
            _load(session, golden, work)
            return session

        yield Sides(sessions[0], sessions[1], sessions[2], repeat)


def _load(session: ModelProcess | EndpointSession, golden: Golden, work: Work) -> None:
    if isinstance(session, ModelProcess):
        work.tell(f"loading {session.name}")
        session.load(golden)


def _session(
    request: ModelRequest, prepared: Prepared, name: str, golden: Golden, work: Work
) -> ModelProcess | EndpointSession:
    full = f"{name} of model {request.name!r}"
    if prepared.checked is None or prepared.interpreter is None:
        if prepared.endpoint is None:
            raise _nothing(request, prepared.side)
        return EndpointSession(full, prepared.endpoint, golden, request.compare.limits.seconds, work.check)
    layout = prepared.checked.layout
    model = prepared.checked.fetched.folder
    path = model / layout.path if layout.path else model
    weights = prepared.weights.folder / WEIGHTS_FILE if prepared.weights else None
    limits = request.compare.limits
    return ModelProcess(full, prepared.interpreter, layout.form, path, limits, work.check, weights=weights)


def side_record(prepared: Prepared, session: Session, rows_per_second: float) -> ModelSide:
    """Return what the record tells of one side."""
    made = ModelSide(
        url=prepared.url, rows_per_second=round(rows_per_second, 3), peak_bytes=session.peak_bytes()
    )
    if isinstance(session, ModelProcess) and prepared.checked is not None:
        made = made.model_copy(
            update={
                "digest": (prepared.weights or prepared.checked.fetched).digest,
                "python": session.python,
                "environment": prepared.key,
                "isolation": session.isolation,
                "load_seconds": round(session.load_seconds, 3),
            }
        )
    return made


def machine() -> str:
    """Return what durations of this machine are comparable with."""
    return f"{platform.node()} {platform.machine()}"


def _unsafe(request: ModelRequest, side: str, checked: Checked) -> ConflictError:
    blockers = [each for each in checked.findings if each.severity is Severity.BLOCKER]
    named = "; ".join(f"[{each.rule}] {each.subject}: {each.detail}" for each in blockers[:3])
    return ConflictError(
        f"running the {side} of model {request.name!r}",
        got=f"{len(blockers)} findings about its files ({named})",
        expected="files of which none acts on its loader",
        state="it was not loaded anywhere; nothing was changed",
        remedy=f"{blockers[0].remedy}; then check it again",
        code="7502",
    )


def _no_answers(request: ModelRequest, side: str, form: str) -> UnsupportedError:
    return UnsupportedError(
        f"running the {side} of model {request.name!r}",
        got=f"weights alone, or a model that is not asked by numbers ({form})",
        expected="a model with its computation",
        state="it was not run; nothing was changed",
        remedy="compare the models that hold the weights (the proof of a conversion holds each tensor), or an"
        " endpoint; keep models of transformers by MLflow's flavor for them",
        code="9550",
    )


def _unsolvable(request: ModelRequest, side: str, solved: Solved) -> UnsupportedError:
    return UnsupportedError(
        f"building the environment of the {side} of model {request.name!r}",
        got=solved.problem,
        expected="versions that fit together",
        state="it was not run; nothing was changed",
        remedy="correct the model's requirements, or the runtime's packages in the spec",
        code="7503",
    )


def _nothing(request: ModelRequest, side: str) -> UnsupportedError:
    return UnsupportedError(
        f"comparing model {request.name!r}",
        got=f"neither a model nor an endpoint for the {side}",
        expected="one of them on each side",
        state="nothing was run or changed",
        remedy=f"name the {side}'s URL or endpoint",
        code="7504",
    )
