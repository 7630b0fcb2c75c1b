import dataclasses
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from sensitivenets.benchmark.first_screen import scope
from sensitivenets.benchmark.joining import join
from sensitivenets.benchmark.leaderboard import save_leaderboard
from sensitivenets.benchmark.page import render, write_page
from sensitivenets.benchmark.picture import plot_leaderboard
from sensitivenets.benchmark.record import failed
from sensitivenets.benchmark.runs import Benchmark
from sensitivenets.plots.style import figure_of


@pytest.fixture
def board(record_of):
    def make(*more, full=False):
        records = [
            record_of("none", {"gender": 0.9, "age <b>": 0.8}, 0.99),
            record_of("leace", {"gender": 0.7, "age <b>": 0.6}, 0.98),
            record_of("ive", {"gender": 0.8, "age <b>": 0.7}, 0.9, removed=0.5),
            failed(record_of("sal", 0.6, 0.9).run, "context", "<script>alert(1)</script>"),
        ]
        facts = {"settings": {"full": full, "n_threads": 1}, "data": {"rows": 3}}
        return join(Benchmark((*records, *more), 0, 0, facts))

    return make


@pytest.fixture
def page(board):
    """The page without the pictures at fixed false match rates: they take long to draw."""
    leaderboard = board()
    fronts = tuple(f for f in leaderboard.fronts if f.utility == "accuracy, view2")
    return render(dataclasses.replace(leaderboard, fronts=fronts))


def test_the_page_loads_nothing_and_runs_nothing(page):
    assert "<script" not in page
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)""", page)
    assert not re.search(r"url\((?!#)|@import|https?://", page)
    assert "default-src 'none'" in page


def test_names_and_messages_are_escaped(page):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "age &lt;b&gt;: attacker by attacker" in page


def test_the_page_shows_every_entry_with_figures_and_intervals(board, page):
    for label in ("none", "leace", "ive (removed=0.5)"):
        assert f'<th scope="row">{label}</th>' in page
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))
    # leace: 70 % [65, 75]; half of 0.9 - 0.5 is gone; 98 % kept.
    assert "leace 1 70.0 % [65.0, 75.0] 50.0 %" in text
    assert "98.00 % [97.0, 99.0]" in text
    assert "sal, seed 0 : " in text
    assert "Map known" not in text
    assert "Map known" in render(dataclasses.replace(board(full=True), fronts=()))
    assert "Quick: three attackers, none whitens" in text
    assert "The controls hold" in render(dataclasses.replace(board(full=True), fronts=()))


def test_the_first_screen_states_the_finding_and_of_what(board, page):
    """leace loses one point of verification, and reads least among those that lose no more."""
    first = " ".join(re.sub("<[^>]+>", " ", page.split("<section>")[0]).split())
    assert "2 methods at 3 settings." in first
    assert "gender 70.0 % [65.0, 75.0]; 90.0 % before any map, 50.0 % by a guess leace" in first
    data = {
        "fit": {"rows": 1200, "classes": 40},
        "detector": {"rows": 50},
        "attack": {"train": 90, "test": 18},
        "verification": {"pairs": {"view2": 60}},
    }
    facts = {"settings": {"full": True}, "data": data, "about": "MobileFaceNet", "version": "1"}
    said = scope(dataclasses.replace(board(), facts=facts))
    assert said["Embeddings"] == "MobileFaceNet"
    assert said["Attackers"].startswith("every attacker")
    assert (
        said["Methods learned from"]
        == "1\u202f200 rows of 40 subjects and 50 rows with the attributes"
    )
    assert (said["Attacked"], said["Verified"]) == ("18 rows", "60 pairs of view2")


def test_untrusted_figures_are_called_so(board, record_of):
    attributes = {"gender": 0.9, "age <b>": 0.8}
    board = board(record_of("inlp", attributes, 0.9, shuffled=False))
    page = render(dataclasses.replace(board, fronts=()))
    assert "These figures cannot be trusted" in page
    assert "inlp: attackers trained on shuffled labels of gender read more than a guess" in page


def test_page_and_pictures_need_the_json_alone(board, tmp_path):
    save_leaderboard(board(), tmp_path / "leaderboard.json")
    page = write_page(tmp_path / "leaderboard.json")
    assert page == tmp_path / "index.html"
    assert page.read_text("utf-8") == render(board())
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert names == {
        f"{attribute}-{utility}.{ending}"
        for attribute in ("gender", "age-b")
        for utility in ("accuracy-view2", "tar-at-fmr-0.001-view2")
        for ending in ("svg", "png")
    }
    ET.parse(tmp_path / "pictures" / "gender-accuracy-view2.svg")


def test_the_picture_puts_entries_where_their_figures_are(board):
    leaderboard = board()
    front = next(f for f in leaderboard.fronts if f.attribute == "gender")
    ax = plot_leaderboard(leaderboard, front)
    drawn = {c.get_label(): c[0].get_xydata() for c in ax.containers}
    assert np.allclose(drawn["front: beaten by none"], [[0.99, 0.9], [0.98, 0.7]])
    assert np.allclose(drawn["beaten"], [[0.9, 0.8]])
    assert np.allclose(drawn["before any map"], [[0.99, 0.9]])
    # What was there before any map is named by the legend.
    assert {t.get_text() for t in ax.texts} == {"leace", "ive"}
    # What lies between two points of the front can be had at the higher leakage only.
    (steps,) = (line for line in ax.lines if line.get_drawstyle() == "steps-post")
    assert np.allclose(steps.get_xydata(), [[0.99, 0.9], [0.98, 0.7]])


def test_the_axis_spreads_what_is_nearly_perfect(board, record_of):
    attributes = {"gender": 0.55, "age <b>": 0.55}
    leaderboard = board(
        record_of("inlp", attributes, 1.0),
        record_of("rlace", attributes, 0.5),
    )
    front = next(f for f in leaderboard.fronts if f.attribute == "gender")
    ax = plot_leaderboard(leaderboard, front)
    figure_of(ax).draw_without_rendering()
    place = {u: ax.transData.transform((u, 0.5))[0] for u in (0.5, 0.9, 0.99, 0.999)}
    # A tenth of the loss is one step, wherever it is.
    steps = np.diff([place[u] for u in (0.9, 0.99, 0.999)])
    assert steps[0] == pytest.approx(steps[1], rel=1e-6)
    assert ax.get_xlim()[0] < 0.5
    assert ax.get_xlim()[1] > 0.9995


def test_nothing_but_what_was_there_before_can_be_drawn(board):
    leaderboard = board()
    only = dataclasses.replace(leaderboard, entries=(leaderboard.entry("none"),))
    front = dataclasses.replace(leaderboard.fronts[0], labels=("none",))
    assert not plot_leaderboard(only, front).texts


@pytest.mark.parametrize("across", [0, 1e-3])
def test_names_do_not_cover_each_other(board, record_of, across):
    crowd = [
        record_of(
            f"method{k}", {"gender": 0.7 + k / 1000, "age <b>": 0.7}, 0.95 + across * k, seed=0
        )
        for k in range(30)
    ]
    leaderboard = board(*crowd)
    front = next(f for f in leaderboard.fronts if f.attribute == "gender")
    ax = plot_leaderboard(leaderboard, front)
    canvas = figure_of(ax).canvas
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in ax.texts]
    assert 3 < len(boxes) < 33
    # Nor do two of them read as one.
    wide = [box.padded(3, 0) for box in boxes]
    assert not any(a.overlaps(b) for k, a in enumerate(wide) for b in boxes[:k])


def test_names_cover_no_dot_and_numbers_of_the_axis_each_other(board, record_of):
    """Three settings of one method, of which one is named; utilities near one, many ticks."""
    near = [
        record_of("farm", {"gender": 0.7 + k / 100, "age <b>": 0.7}, 0.99 + k / 1000, epochs=k)
        for k in range(3)
    ]
    near += [record_of("vgan", {"gender": 0.75, "age <b>": 0.7}, 0.9957, seed=0)]
    leaderboard = board(*near)
    front = next(f for f in leaderboard.fronts if f.attribute == "gender")
    front = dataclasses.replace(front, labels=("leace",))
    ax = plot_leaderboard(leaderboard, front)
    renderer = figure_of(ax).canvas.get_renderer()
    numbers = [one.get_window_extent(renderer) for one in ax.get_xticklabels()]
    assert len(numbers) > 3
    assert not any(a.overlaps(b) for k, a in enumerate(numbers) for b in numbers[:k])
    dots = np.concatenate([
        ax.transData.transform(points)
        for container in ax.containers
        for points in [container[0].get_xydata()]
    ])
    names = [text.get_window_extent(renderer) for text in ax.texts]
    assert names
    assert not any(box.contains(*dot) for box in names for dot in dots)
