"""The model card: what a model folder says about itself to a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import Any

# Of a hidden identity: a model says that people are hidden, not which.
_UNNAMED = "many, not named"


def render_card(config: Mapping[str, Any]) -> str:
    """Write the model card of a model folder.

    Parameters
    ----------
    config : mapping
        The content of ``config.json``.

    Returns
    -------
    str
        Markdown with the YAML front matter that model hubs read.
    """
    template = files("sensitivenets.maps").joinpath("templates/model_card.md").read_text("utf-8")
    removed: Mapping[str, list[str]] = config["removed"]
    return Template(template).substitute(
        attributes=", ".join(map(_plain, removed)) or "nothing",
        # JSON is YAML, so a name with a colon or a quote cannot break the front matter.
        attributes_yaml=json.dumps(list(removed)),
        first_attribute=_plain(next(iter(removed), "ATTRIBUTE")),
        removed=_table(
            ("Attribute", "Classes"),
            [(name, ", ".join(c) or _UNNAMED) for name, c in removed.items()],
        ),
        parameters=_table(("Parameter", "Value"), list(config["parameters"].items())),
        fingerprint=_table(("Data", ""), list(_flat(config["fingerprint"]).items())),
        curve=_last_epoch(config["curve"]),
        forecast=_forecast(config["curve"]),
        method=_plain(config["method"]),
        n_features_in=config["map"]["n_features_in"],
        n_features_out=config["map"]["n_features_out"],
        library_version=config["library_version"],
        format_version=config["format_version"],
    )


def _last_epoch(curve: list[Mapping[str, Any]]) -> str:
    if not curve:
        return "No training curve was kept."
    rows = list(_flat(curve[-1]).items())
    return f"The last of {len(curve)} records of the training curve:\n\n" + _table(
        ("Quantity", "Value"), rows
    )


def _forecast(curve: list[Mapping[str, Any]]) -> str:
    """Say what the rows of a routed map's groups promise people who were not among them."""
    first = curve[0] if curve else {}
    found = first.get("adapted", first).get("forecast")
    if not found:
        return ""
    rows = [
        ("Rows of each predicted group", found["rows"]),
        ("Rows needed in each for 55 % (16 d^2)", found["needed"]),
        ("Forecast for new people, balanced accuracy", found["accuracy"]),
        ("Groups of fewer than d^2 rows", len(found["thin"])),
    ]
    return (
        "## People who were not among these rows\n\n"
        + _table(("Quantity", "Value"), rows)
        + "\n\nThe forecast is for a Gaussian attacker with unlimited labels; others, nearest "
        "neighbours among\nthem, are not in it. To apply the map, a router guesses the group of "
        "each row, that is, its\nattributes. The guess is not stored, logged or returned, and is "
        "no output of an exported graph.\n\n"
    )


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level: {"a": {"b": 1}} becomes {"a, b": 1}."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}, ")
        else:
            flat[prefix + name] = value
    return flat


def _table(header: tuple[str, str], rows: list[tuple[str, Any]]) -> str:
    if not rows:
        return "Not recorded."
    lines = [f"| {header[0]} | {header[1]} |", "|---|---|"]
    lines += [f"| {_plain(name)} | {_plain(_value(value))} |" for name, value in rows]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def _plain(text: str) -> str:
    """Text that cannot break out of a table cell or carry markup: labels come from users."""
    one_line = " ".join(text.split())
    for special in "\\`|*_[]<>":
        one_line = one_line.replace(special, "\\" + special)
    return one_line
