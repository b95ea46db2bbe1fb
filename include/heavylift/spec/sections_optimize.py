"""The ``optimize`` section: settings that are tried, sizes and purchases that are reckoned."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from heavylift.spec.base import ConnectionId, Count, Name, Number, SpecModel, Text, Url
from heavylift.spec.quantities import Seconds
from heavylift.spec.vocabulary import Platform

_Word = Annotated[Text, Field(min_length=1, max_length=1000)]
_Knob = Annotated[Text, Field(min_length=1, max_length=64)]
_Price = Annotated[Number, Field(gt=0.0)]
_Share = Annotated[Number, Field(ge=0.0, le=1.0)]
_Hours = Annotated[Number, Field(ge=0.0, le=1e6)]
_KnobValue = Text | Count | Number


class TrialServer(SpecModel):
    """How a server is started for a trial, on the worker that runs the task; never by a shell."""

    command: tuple[_Word, ...] = Field(
        default=(),
        description="Program and arguments; {port} and the names of knobs in braces are filled in. Where"
        " empty, MLflow's scoring server with the knobs model (a folder) and workers.",
    )
    environment: dict[_Word, Text] = Field(
        default={}, description="Variables of the server, filled in likewise; nothing secret."
    )
    passed: tuple[_Word, ...] = Field(default=(), description="Variables of the worker that it gets, too.")
    url: Text = Field(
        default="http://127.0.0.1:{port}/invocations", description="Where it is asked, filled in likewise."
    )
    python: Text = Field(default="", description="For MLflow's server: an interpreter with its packages.")
    ready_text: Text = Field(
        default="", description="What it writes once it serves; where empty, it serves when it answers."
    )
    ready_within: Seconds = Field(default=120, ge=1, le=3600, description="How long that may take.")


class TrialStudy(SpecModel):
    """Settings of a scoring server: which of them serves 1,000 predictions at the least cost."""

    name: Name = Field(description="Unique among the trials.")
    requests: Url = Field(description="Recorded bodies of requests, one JSON document a line.")
    requests_connection: ConnectionId | None = Field(
        default=None, description="Connection of that place; by default the target's."
    )
    knobs: dict[_Knob, tuple[_KnobValue, ...]] = Field(
        description="What may be set, each with its values; rows and connections are the client's."
    )
    server: TrialServer = Field(default=TrialServer(), description="How the server is started.")
    quantile: Number = Field(
        default=0.95, description="Of the latency: 0.5, 0.9, 0.95, 0.99 or 0.999 of requests are in time."
    )
    latency: Number = Field(gt=0.0, le=3.6e6, description="Milliseconds that the quantile must keep to.")
    usd_per_hour: _Price | None = Field(default=None, description="Of one server, with every setting.")
    price_knob: _Knob | None = Field(default=None, description="Knob on which the price depends.")
    prices: dict[_Word, _Price] = Field(default={}, description="Dollars an hour by that knob's values.")
    max_trials: Count = Field(default=30, ge=3, le=500, description="With those that repeat the best.")
    repeats: Count = Field(default=2, ge=1, le=10, description="How often the best setting is repeated.")
    step: Seconds = Field(default=3, ge=1, le=600, description="At each rate.")
    warm_up: Seconds = Field(default=2, ge=0, le=600, description="Of each server, not counted.")
    first_rate: Number = Field(default=20.0, gt=0.0, le=1e6, description="Requests a second to begin with.")
    max_rate: Number = Field(default=2000.0, gt=0.0, le=1e6, description="Requests a second at most.")
    timeout: Seconds = Field(default=10, ge=1, le=600, description="Of a request.")
    seed: Count = Field(default=20260101, ge=0, description="Of everything that is drawn.")
    baseline: Text | None = Field(
        default=None, description="Path of an endpoint's baseline in the evidence, to compare with."
    )
    predictions_a_month: Number | None = Field(
        default=None, gt=0.0, description="What the saving of a month is reckoned with."
    )
    instance_knob: _Knob | None = Field(default=None, description="Knob whose value is an instance type.")
    replaces: Text | None = Field(
        default=None, description="Source's instance type that the chosen one stands for in infrastructure."
    )


class Rightsizing(SpecModel):
    """A machine of the target, and the series of its use."""

    name: Name = Field(description="Unique among the sizes.")
    series: Url | None = Field(
        default=None, description="CSV, Parquet, or Prometheus' JSON of a query over a range."
    )
    component: Text | None = Field(
        default=None,
        description="In its place: id of a component of the inventory, whose use the phase assess has read.",
    )
    connection: ConnectionId | None = Field(
        default=None, description="Connection of that place; by default the target's."
    )
    instance_type: _Word = Field(description="What the machine is now.")
    platform: Platform | None = Field(
        default=None, description="Whose type that is; by default the target's."
    )
    replaces: Text | None = Field(
        default=None, description="Source's instance type that it stands for in infrastructure."
    )
    at: _Word = Field(default="at", description="Column of the moment.")
    columns: dict[_Word, _Word] = Field(
        default={}, description="What cpu, memory, gpu and gpu_memory are called in the series."
    )
    unit: Text = Field(default="share", description="share (from 0 to 1) or percent.")
    quantile: Number = Field(default=0.99, gt=0.0, le=1.0, description="Of the use of cores; 1 is the peak.")
    headroom: Number = Field(default=0.2, ge=0.0, le=10.0, description="Beyond it, and beyond peak memory.")
    least_days: Number = Field(default=7.0, ge=0.0, description="A shorter series is not judged.")
    machines: Text | None = Field(
        default=None, description="CSV file with machines of your own, beside this file or with its path."
    )
    hours_a_month: Number = Field(default=730.0, gt=0.0, le=744.0, description="In which it runs.")


class CommitmentPrice(SpecModel):
    """A price for machines that are paid for whether used or not."""

    name: Name = Field(description="What it is called, such as one-year.")
    usd_per_hour: _Price = Field(description="Of one machine.")
    term_hours: Number = Field(gt=0.0, description="For how long: a year has 8,760.")


class SpotInterruptions(SpecModel):
    """How machines that may be taken away come and go; all times in hours."""

    rate: _Hours = Field(description="Interruptions of one machine in an hour.")
    common_rate: _Hours = Field(default=0.0, description="Of all of them at once.")
    replaced_after: _Hours = Field(default=0.1, description="Until there is another one.")
    restart: _Hours = Field(default=0.0, description="Until a job goes on; billed.")
    checkpoint: _Hours = Field(default=0.0, description="That saving a job's state once takes; billed.")


class SpotJob(SpecModel):
    """A job that saves its state."""

    hours: Number = Field(gt=0.0, le=1e6, description="Of work, without interruptions.")
    deadline: Number | None = Field(default=None, gt=0.0, description="Hours in which it must be done.")
    max_late: _Share = Field(default=0.05, description="Share of runs that may be late.")
    machines: Count = Field(default=1, ge=1, le=100_000, description="That it runs on at once.")


class SpotServing(SpecModel):
    """A service that needs so many machines."""

    machines: Count = Field(ge=1, le=10_000, description="That must be there.")
    shortfall: Number = Field(gt=0.0, lt=1.0, description="Share of time in which fewer may be there.")


class Purchase(SpecModel):
    """A demand for machines of one kind, and what they cost."""

    name: Name = Field(description="Unique among the purchases.")
    demand: Url | None = Field(default=None, description="Series with one value an hour.")
    connection: ConnectionId | None = Field(
        default=None, description="Connection of that place; by default the target's."
    )
    at: _Word = Field(default="at", description="Column of the moment.")
    column: _Word = Field(default="machines", description="Column of the number of machines.")
    on_demand: _Price = Field(description="Dollars an hour of one machine.")
    spot: _Price | None = Field(default=None, description="Likewise, of one that may be taken away.")
    commitments: tuple[CommitmentPrice, ...] = Field(default=(), description="Prices of committed machines.")
    prices_of: Text = Field(min_length=1, description="Where prices and rates are from, and of which day.")
    spot_share: _Share = Field(default=0.0, description="Of each hour's demand that may be interrupted.")
    interruptions: SpotInterruptions | None = Field(default=None, description="How machines come and go.")
    job: SpotJob | None = Field(default=None, description="A job to judge.")
    serving: SpotServing | None = Field(default=None, description="A service to judge.")


class Optimize(SpecModel):
    """What the DAG ``<migration>.optimize`` measures and reckons, and proposes to change."""

    trials: tuple[TrialStudy, ...] = Field(default=(), description="Settings that are tried.")
    rightsizing: tuple[Rightsizing, ...] = Field(default=(), description="Machines that are judged.")
    purchases: tuple[Purchase, ...] = Field(default=(), description="Demands that are reckoned.")
