"""Renders the report's page. Everything that comes from evidence is escaped, always."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from heavylift import __version__
from heavylift.evidence.wording import counted, days_in_words, duration, size
from heavylift.report.optimize import saving_in_words
from heavylift.report.text import visible, when
from heavylift.report.throughput import draw_throughput
from heavylift.report.timeline import draw_timeline
from heavylift.report.view import MOST_ACTS, View, answer_to, span_in_words

_TEMPLATES = (
    "report.html", "macros.html", "databases.html", "streams.html",
    "registries.html", "features.html", "models.html", "assess.html", "provision.html", "switch.html",
    "optimize.html", "gone.html", "forecast.html", "proof.html", "trail.html", "plan.html", "access.html",
    "controls.html", "leaving.html", "workload.html", "beside.html",
)  # fmt: skip


def render_page(view: View) -> str:
    """Return the page: one HTML file that loads nothing and runs no script."""
    template = environment().get_template("report.html")
    return template.render(
        view=view,
        story=view.story,
        headline=view.headline,
        style=style(),
        timeline=draw_timeline(view.story),
        throughput=draw_throughput(view.throughput) if view.throughput else Markup(),
        acts=view.story.trail.acts[-MOST_ACTS:],
        version=__version__,
    )


def style() -> Markup:
    """Return the style of every page."""
    return Markup(_resource("report.css"))  # noqa: S704 - our own file


@cache
def environment() -> Environment:
    """Return the templates; everything that is put into them is escaped."""
    environment = Environment(
        loader=DictLoader({name: _resource(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        counted=counted,
        size=size,
        days=days_in_words,
        when=when,
        duration=duration,
        span=span_in_words,
        answer=answer_to,
        saving=saving_in_words,
    )
    return environment


def _resource(name: str) -> str:
    return files("heavylift.report").joinpath("templates", name).read_text("utf-8")
