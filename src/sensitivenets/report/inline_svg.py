"""Pictures inside the page: SVG that takes the page's colours and font, in light and dark."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from markupsafe import Markup
from matplotlib.axes import Axes

from sensitivenets.plots import svg_text
from sensitivenets.plots.style import GRID, INK, MUTED, PAPER, SERIES, figure_of

_THEME = {INK: "--ink", MUTED: "--muted", GRID: "--line", PAPER: "--paper"} | {
    colour: f"--series-{k}" for k, colour in enumerate(SERIES, start=1)
}
_COLOUR = re.compile("|".join(map(re.escape, _THEME)))
# Characters that XML forbids, whoever put them into a name.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline_svg(ax: Axes, name: str, description: str) -> Markup:
    """Return the figure of some axes as an element to put into a page.

    Parameters
    ----------
    ax : matplotlib Axes
        Drawn; its whole figure is taken.
    name : str
        Put before the ids, so that pictures of one page do not refer to each other's parts.
    description : str
        What a reader who does not see the picture must know.

    Returns
    -------
    Markup
        An ``svg`` element without fixed size, style sheet, or reference to anything outside.
    """
    # The text was written by matplotlib in this process: it holds no entities to be afraid of.
    root = ET.fromstring(_CONTROL.sub("", svg_text(figure_of(ax))))
    for element in list(root):
        if element.tag.endswith("}metadata"):
            root.remove(element)
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith("}style"):
                parent.remove(child)
    wanted = _referenced(root)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = _attributes(element.attrib, name, wanted)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": description}
    return Markup(ET.tostring(root, encoding="unicode"))


def _referenced(root: ET.Element) -> set[str]:
    names: set[str] = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.rpartition("}")[2] == "href" and value.startswith("#"):
                names.add(value[1:])
            names.update(_REFERENCE.findall(value))
    return names


def _attributes(attributes: dict[str, str], name: str, wanted: set[str]) -> dict[str, str]:
    kept = {}
    for key, value in attributes.items():
        key = key.rpartition("}")[2]
        if key == "id":
            if value in wanted:
                kept[key] = f"{name}-{value}"
        elif key == "href" and value.startswith("#"):
            kept[key] = f"#{name}-{value[1:]}"
        elif key == "style":
            kept[key] = _themed(_REFERENCE.sub(rf"url(#{name}-\1)", value))
        else:
            kept[key] = _REFERENCE.sub(rf"url(#{name}-\1)", value)
    return kept


def _themed(style: str) -> str:
    rules = [rule for rule in style.split(";") if not rule.strip().startswith("font-family")]
    return _COLOUR.sub(lambda match: f"var({_THEME[match[0]]})", ";".join(rules))
