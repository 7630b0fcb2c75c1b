"""Pictures as files: SVG for documents, PNG for everything else, the same bytes each time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from sensitivenets.atomic import atomic_file


def svg_text(figure: Figure) -> str:
    """Return a figure as SVG; text stays text, so that it can be read aloud, found and copied."""
    buffer = io.StringIO()
    # A fixed salt and no date: the same picture is the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sensitivenets"}), _any_script():
        figure.savefig(buffer, format="svg", metadata={"Date": None}, dpi=160)
    return buffer.getvalue()


@contextmanager
def _any_script() -> Iterator[None]:
    """Let names be in scripts that matplotlib's own font lacks; an SVG takes the reader's font."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def save(figure: Figure, path: str | Path) -> tuple[Path, Path]:
    """Write a figure as SVG and as PNG.

    Parameters
    ----------
    figure : matplotlib Figure
        Such as ``ax.figure``.
    path : str or Path
        Name without its ending, or with either of the two.

    Returns
    -------
    svg, png : Path
        The two files, each there whole or not at all.
    """
    path = Path(path)
    stem = path.with_suffix("") if path.suffix in {".svg", ".png"} else path
    svg, png = (stem.with_name(stem.name + ending) for ending in (".svg", ".png"))
    with atomic_file(svg) as temporary:
        temporary.write_text(svg_text(figure), encoding="utf-8")
    with atomic_file(png) as temporary, _any_script():
        figure.savefig(temporary, format="png", dpi=200)
    return svg, png
