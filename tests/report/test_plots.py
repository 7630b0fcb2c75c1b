import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.plots import (
    CAPTION,
    PlanePoint,
    plot_attackers,
    plot_det,
    plot_learning_curve,
    plot_map,
    plot_map_pair,
    plot_opportunity,
    plot_plane,
    plot_removal_curve,
    plot_roc,
    save,
    svg_text,
)
from sensitivenets.verification.rates import error_curve


@pytest.fixture
def maps(audit):
    return audit.maps


@pytest.fixture
def curves():
    normal = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    scores, same = np.tile(normal, 2), np.arange(2000) < 1000
    return {
        name: error_curve(scores + apart * same, same)
        for name, apart in (("before", 4.0), ("after", 2.0))
    }


def legend_of(ax):
    legends = [ax.get_legend(), *ax.figure.legends]
    return [text.get_text() for legend in legends if legend for text in legend.get_texts()]


def lines_of(ax):
    """Return the labelled lines by label, as (n, 2) arrays."""
    return {
        line.get_label(): np.asarray(line.get_xydata(), dtype=float)
        for line in ax.get_lines()
        if not line.get_label().startswith("_")
    }


def estimate(value):
    return Estimate(value, value - 0.02, value + 0.02, 10)


def all_pictures(audit, maps, curves):
    """Return each picture as a function of the axes to draw on."""
    fairness = audit.fairness["smiling"]
    points = [PlanePoint("a", estimate(0.9), estimate(0.6))]
    return {
        "attackers": lambda ax: plot_attackers(audit.attributes[0], ax),
        "removal": lambda ax: plot_removal_curve(audit.attributes, ax),
        "learning": lambda ax: plot_learning_curve(audit.attributes, ax),
        "map": lambda ax: plot_map(maps, "before", ax),
        "roc": lambda ax: plot_roc(curves, ax),
        "det": lambda ax: plot_det(curves, ax),
        "opportunity": lambda ax: plot_opportunity([fairness], ax),
        "plane": lambda ax: plot_plane(points, chance=0.5, ax=ax),
    }


def test_every_picture_has_a_title_and_its_own_figure_and_leaves_pyplot_alone(audit, maps, curves):
    drawn = {name: draw(None) for name, draw in all_pictures(audit, maps, curves).items()}
    assert all(ax.get_title(loc="left") for ax in drawn.values())
    assert len({id(ax.figure) for ax in drawn.values()}) == len(drawn)
    code = "import sys, sensitivenets.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_given_axes_are_drawn_on_and_returned(audit, maps, curves):
    for draw in all_pictures(audit, maps, curves).values():
        left, right = Figure().subplots(1, 2)
        assert draw(right) is right
        assert right.get_title(loc="left")
        assert not left.get_title(loc="left")
        assert not right.figure.legends  # the figure is not ours: the legend stays in the axes


def test_style_stays_inside(gender):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plot_attackers(gender)
    assert dict(mpl.rcParams) == before


def test_attackers_show_the_best_preparation_of_each_with_the_strongest_on_top(gender):
    ax = plot_attackers(gender)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[0] == "majority class"
    assert names[-1] == "RBF-SVM"
    assert "QDA" not in names  # it failed; the table says so
    lines = lines_of(ax)
    after = dict(zip(np.round(lines["after"][:, 1]), lines["after"][:, 0], strict=True))
    best = max(r.balanced_accuracy for r in gender.after.attackers if r.attacker == "SVM")
    assert after[names.index("SVM")] == best == pytest.approx(0.61)
    assert lines["a guess"][:, 0].tolist() == [0.5, 0.5]
    assert set(legend_of(ax)) == {"before", "after", "after, map undone", "a guess"}


def test_attackers_of_one_table(alone):
    ax = plot_attackers(alone.attributes[0])
    assert legend_of(ax) == ["attacked", "a guess"]
    assert np.round(lines_of(ax)["attacked"][:, 1]).tolist() == list(range(7))


def test_removal_curve_is_fig_3(audit):
    ax = plot_removal_curve(audit.attributes)
    drawn = lines_of(ax)["ethnicity, after"]
    points = audit.attributes[1].after.removal_curve.points
    assert drawn.tolist() == [[p.x, p.balanced_accuracy] for p in points]
    assert drawn[:, 0].tolist() == [0, 0.2, 0.4, 0.6, 0.8, 0.98]
    assert "gender, before" in legend_of(ax)
    assert ax.get_xlabel() == "features removed"


def test_learning_curve_has_a_logarithmic_abscissa(audit):
    ax = plot_learning_curve(audit.attributes)
    assert ax.get_xscale() == "log"
    assert lines_of(ax)["gender, before"][:, 0].tolist() == [100, 1000, 9000]


def test_attributes_without_curves_are_left_out(gender):
    bare = dataclasses.replace(gender.before, removal_curve=None)
    ax = plot_removal_curve([dataclasses.replace(gender, before=bare, after=None)])
    assert not legend_of(ax)


def test_map_shows_every_point_in_six_distinct_looks(maps):
    ax = plot_map(maps, "after")
    assert len(ax.collections) == 6
    assert sum(len(c.get_offsets()) for c in ax.collections) == len(maps.codes)
    looks = {
        (tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.shape[0]) for c in ax.collections
    }
    assert len(looks) == 6
    assert sorted(legend_of(ax)) == sorted(" · ".join(group) for group in maps.groups)


def test_maps_say_that_a_picture_proves_nothing(maps):
    assert "proves nothing" in CAPTION
    assert plot_map(maps).get_xlabel().replace("\n", " ") == CAPTION
    before, after = plot_map_pair(maps)
    assert before.figure is after.figure
    assert before.figure.get_suptitle().replace("\n", " ") == CAPTION
    assert len(plot_map_pair(dataclasses.replace(maps, after=None))) == 1


def test_a_map_that_is_not_there_is_refused(maps):
    with pytest.raises(InputError, match="expected a map after, found only one before"):
        plot_map(dataclasses.replace(maps, after=None), "after")


def test_roc_is_the_curve(curves):
    ax = plot_roc(curves)
    drawn = lines_of(ax)["after"]
    curve = curves["after"]
    shown = curve.thinned()
    on_it = np.column_stack([shown.fmr, shown.tar])[shown.fmr > 0]
    assert drawn[1:].tolist() == on_it.tolist()
    assert set(map(tuple, on_it)) <= set(zip(curve.fmr, curve.tar, strict=True))
    assert ax.get_xscale() == "log"


def test_det_of_normal_scores_is_a_straight_line_of_slope_minus_one(curves):
    # FMR = Phi(-t), FNMR = Phi(t - d): on normal-deviate axes the sum of both is -d.
    drawn = lines_of(plot_det(curves))["after"]
    middle = drawn[(drawn[:, 0] > -2) & (drawn[:, 0] < 0)]
    assert len(middle) > 30
    assert middle.sum(axis=1) == pytest.approx(-2.0, abs=0.03)
    ax = plot_det(curves)
    ticks = dict(zip([t.get_text() for t in ax.get_xticklabels()], ax.get_xticks(), strict=True))
    assert ticks["5 %"] == pytest.approx(stats.norm.ppf(0.05))


def test_large_curves_are_drawn_thin_and_keep_their_place(curves):
    assert len(curves["after"].fmr) > 2000
    for plot in (plot_roc, plot_det):
        assert 100 < len(lines_of(plot(curves))["after"]) <= 501
    drawn = lines_of(plot_roc(curves))["after"]
    whole = curves["after"]
    for fmr in (0.001, 0.01, 0.1):
        near = np.searchsorted(whole.fmr, fmr, side="right") - 1
        shown = np.searchsorted(drawn[:, 0], fmr, side="right") - 1
        assert drawn[shown, 1] == pytest.approx(whole.tar[near], abs=0.02)


def test_opportunity_joins_the_rates_of_both_groups(audit):
    result = audit.fairness["smiling"]
    ax = plot_opportunity([result])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["smiling, after", "smiling, before"]
    spans = [line.get_xdata() for line in ax.get_lines() if len(line.get_xdata()) == 2]
    assert [abs(a - b) for a, b in spans] == pytest.approx([0.05, 0.3])
    assert legend_of(ax) == ["Female (favoured)", "Male"]


def test_plane_shows_both_axes_of_every_point():
    points = [
        PlanePoint("before", estimate(0.99), estimate(0.88), "gender"),
        PlanePoint("after", estimate(0.97), estimate(0.55), "gender"),
    ]
    ax = plot_plane(points, chance=0.5)
    assert [text.get_text() for text in ax.texts] == ["before", "after"]
    assert ax.texts[1].xy == (0.97, 0.55)
    assert "right is better" in ax.get_xlabel()
    assert "down is better" in ax.get_ylabel()


def test_a_short_axis_names_each_of_its_ticks():
    kept = [Estimate(value, value - 0.004, value + 0.004, 6000) for value in (0.986, 0.996)]
    leaks = Estimate(0.9, 0.87, 0.92, 1800)
    ax = plot_plane([PlanePoint(f"method {k}", u, leaks) for k, u in enumerate(kept)])
    low, high = ax.get_xlim()
    format_tick = ax.xaxis.get_major_formatter()
    shown = {tick: format_tick(tick) for tick in ax.get_xticks() if low <= tick <= high}
    assert {text: round(tick, 9) for tick, text in shown.items()} == {
        text: round(float(text.removesuffix(" %")) / 100, 9) for text in shown.values()
    }
    assert len(set(shown.values())) == len(shown) > 2


def test_names_are_text_and_not_mathematics(gender):
    hostile = dataclasses.replace(gender, name=r"$\frac{a}$ <script>")
    ax = plot_attackers(hostile)
    assert r"$\frac{a}$ &lt;script&gt;" in svg_text(ax.figure)


def test_save_writes_svg_and_png_with_the_same_bytes_each_time(gender, tmp_path):
    for folder in ("a", "b"):
        svg, png = save(plot_attackers(gender).figure, tmp_path / folder / "gender.v1")
        assert (svg.name, png.name) == ("gender.v1.svg", "gender.v1.png")
    for name in ("gender.v1.svg", "gender.v1.png"):
        first = (tmp_path / "a" / name).read_bytes()
        assert first == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a/gender.v1.png").read_bytes().startswith(b"\x89PNG")
    assert "RBF-SVM" in (tmp_path / "a/gender.v1.svg").read_text("utf-8")  # text stays text
    assert save(plot_attackers(gender).figure, tmp_path / "c.png")[0] == tmp_path / "c.svg"
