"""The page of a leaderboard, and its pictures: drawn from leaderboard.json and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from sensitivenets.atomic import atomic_file
from sensitivenets.benchmark.first_screen import findings, lead, scope
from sensitivenets.benchmark.leaderboard import (
    Entry,
    Front,
    Leaderboard,
    leakage_of,
    load_leaderboard,
    utility_of,
)
from sensitivenets.benchmark.picture import plot_leaderboard
from sensitivenets.intervals import Estimate
from sensitivenets.plots import save
from sensitivenets.plots.style import figure_of
from sensitivenets.report import numbers
from sensitivenets.report.details import flat
from sensitivenets.report.inline_svg import inline_svg

PAGE, PICTURES = "index.html", "pictures"
_CAPTION = (
    "Each dot is a method with its parameters; whiskers are 95 % intervals of the strongest "
    "attacker. The best place is down and right: little read, everybody recognised."
)


def write_page(path: Path) -> Path:
    """Write the page and the pictures of a leaderboard beside its JSON.

    Parameters
    ----------
    path : Path
        A ``leaderboard.json``.

    Returns
    -------
    Path
        ``index.html``: one file without scripts that loads nothing from elsewhere. Every picture is
        also in the folder ``pictures``, as SVG and PNG.

    Raises
    ------
    InputError
        If the file is no leaderboard.
    """
    leaderboard = load_leaderboard(path)
    page = path.with_name(PAGE)
    text = render(leaderboard)
    with atomic_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    for front in leaderboard.fronts:
        figure = figure_of(plot_leaderboard(leaderboard, front))
        save(figure, path.parent / PICTURES / _file_name(front))
    return page


def render(leaderboard: Leaderboard) -> str:
    """Draw a leaderboard as one HTML page.

    Parameters
    ----------
    leaderboard : Leaderboard
        What to show.

    Returns
    -------
    str
        HTML; everything in it is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sensitivenets.benchmark"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": numbers.percent,
        "count": numbers.count,
        "seconds": _seconds,
        "megabytes": _megabytes,
    }
    style = files("sensitivenets.report").joinpath("templates/report.css").read_text("utf-8")
    pictures: list[dict[str, Any]] = [
        {"svg": inline_svg(plot_leaderboard(leaderboard, f), f"front-{k}", _CAPTION), "front": f}
        for k, f in enumerate(leaderboard.fronts)
    ]
    first = leaderboard.utilities[:1]
    settings = leaderboard.facts.get("settings", {})
    n_threads = settings.get("n_threads", 1)
    return environment.get_template("leaderboard.html.j2").render(
        board=leaderboard,
        lead=lead(leaderboard),
        findings=findings(leaderboard),
        scope=scope(leaderboard),
        style=Markup(style),
        caption=_CAPTION,
        deciding=[p for p in pictures if p["front"].utility in first],
        further=[p for p in pictures if p["front"].utility not in first],
        on_front=_on_front(leaderboard.fronts, first),
        shown=[name for name in leaderboard.utilities if _is_known(leaderboard, name)],
        full=bool(settings.get("full")),
        threads="one thread" if n_threads == 1 else f"{n_threads} threads",
        budgets=_budgets(leaderboard),
        utility_of=utility_of,
        cell=_cell,
        interval=_interval,
        facts=flat(leaderboard.facts),
    )


def _is_known(leaderboard: Leaderboard, utility: str) -> bool:
    return any(utility_of(entry, utility) is not None for entry in leaderboard.entries)


def _on_front(fronts: Sequence[Front], utilities: Sequence[str]) -> set[tuple[str, str]]:
    return {(f.attribute, label) for f in fronts if f.utility in utilities for label in f.labels}


def _budgets(leaderboard: Leaderboard) -> list[dict[str, Any]]:
    """Rows of the table of choices: one a budget, one cell an attribute."""
    rows = []
    for budget in dict.fromkeys(choice.budget for choice in leaderboard.choices):
        chosen = [c for c in leaderboard.choices if c.budget == budget]
        cells = [(leaderboard.entry(c.label), c.attribute) for c in chosen]
        rows.append({"budget": budget, "cells": [_choice(e, a) for e, a in cells]})
    return rows


def _choice(entry: Entry, attribute: str) -> dict[str, Any]:
    return {"label": entry.label, "leakage": leakage_of(entry, attribute)}


def _cell(estimate: Estimate | None, decimals: int = 1) -> str:
    return numbers.MISSING if estimate is None else numbers.percent(estimate.value, decimals)


def _interval(estimate: Estimate | None) -> str:
    return "" if estimate is None else numbers.interval(estimate.low, estimate.high)


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else numbers.count(value)


def _megabytes(value: int | None) -> str:
    return numbers.MISSING if value is None else numbers.count(value / 2**20)


def _file_name(front: Front) -> str:
    """Name a picture after what it shows, in letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", f"{front.attribute} {front.utility}".lower()).strip("-")
