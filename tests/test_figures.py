"""What the figures draw: their artists and words, not their pixels."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_hex, to_rgb
from matplotlib.figure import Figure

from studies import TONE, make_study
from timbretree.experiment.examples import answers
from timbretree.experiment.inline import inline
from timbretree.figures import (
    PALETTE,
    Answers,
    attention_map,
    box_plots,
    drawing,
    reliability_plot,
    save,
)
from timbretree.figures_calibration import BINS, FEWEST, calibration_plot
from timbretree.labels import Labels, Prediction
from timbretree.metrics import calibration_error, reliability
from timbretree.taxonomy import Taxonomy

HOSTILE = "<script>$\\frac{$"
PANELS = {
    "ROC-AUC": {"Flat": [91.0, 92.0, 94.0], "GMP": [93.0, 95.0, 94.0, 99.0], "LP": [90.0]},
    "F1": {"Flat": [81.0, 82.0, 83.5], "GMP": [], "LP": [80.0]},
}


def test_medians_are_orange_as_in_the_paper() -> None:
    hue, saturation, _ = rgb_to_hsv(to_rgb(PALETTE["median"]))
    assert 20 <= 360 * hue <= 40
    assert saturation > 0.9


def words(figure: Figure) -> list[str]:
    """All that a figure says, as it would be read in its SVG."""
    root = ET.fromstring(drawing(figure))
    return ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]


def coloured(axes: object, ink: str) -> list[object]:
    return [line for line in axes.lines if to_hex(line.get_color()) == PALETTE[ink]]  # type: ignore[attr-defined]


def test_box_plots_have_orange_medians_at_the_medians_and_a_dot_for_each_seed() -> None:
    for axes, (title, scores) in zip(
        box_plots(PANELS, reference="Flat").axes, PANELS.items(), strict=True
    ):
        assert axes.get_title(loc="left") == title
        medians = [float(line.get_xdata()[0]) for line in coloured(axes, "median")]
        drawn = [median for median in medians if not np.isnan(median)]
        assert drawn == [np.median(values) for values in scores.values() if values]
        dots = coloured(axes, "full")
        for row, (line, values) in enumerate(zip(dots, scores.values(), strict=True), 1):
            assert list(line.get_xdata()) == values
            assert set(line.get_ydata()) <= {row}
        (dashed,) = coloured(axes, "edge")
        assert dashed.get_xdata() == [np.median(scores["Flat"])] * 2


def test_box_plots_name_each_method_once_the_first_on_top() -> None:
    figure = box_plots(PANELS, reference="Flat")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == list(PANELS["F1"])
    assert figure.axes[0].yaxis_inverted()
    assert words(figure).count("GMP") == 1


def test_box_plots_without_the_baseline_have_no_dashed_line() -> None:
    panels = {title: {"GMP": scores["GMP"]} for title, scores in PANELS.items()}
    for axes in box_plots(panels, reference="Flat").axes:
        assert coloured(axes, "edge") == []


FAMILIES = Taxonomy.from_dict(
    {
        "name": "deep",
        "tags": ["piano", "mallet_percussion", "flute", "clarinet"],
        "groups": {"struck": ["mallet_percussion", "keys"], "keys": ["piano"],
                   "woodwind": ["flute", "clarinet"]},
    }
)  # fmt: skip


FAMILIES_PLAIN = ("piano", "mallet percussion", "flute", "clarinet")


def example(title: str = "a clip") -> Figure:
    attention = np.array([[0.6, 1.0, 0.004], [0.4, 0, 0.1], [0, 0, 0.496], [0, 0, 0.4]], np.float32)
    tags = Answers(
        np.array([0.83, 0.2, 0.1, 0.7]),
        np.array([True, False, False, True]),
        Labels(np.array([False, True, False, True]), np.array([True, True, False, True])),
    )
    groups = Answers(
        np.array([0.12, 0.05, 0.66]),
        np.array([False, False, True]),
        Labels(np.array([True, True, True]), np.array([True, False, True])),
    )
    return attention_map(FAMILIES, attention, tags=tags, groups=groups, title=title)


def placed(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """Where each text stands, in inches from the upper left corner."""
    found: dict[str, list[tuple[float, float]]] = {}
    for text in figure.axes[0].texts:
        found.setdefault(text.get_text(), []).append(text.get_position())
    return found


def test_attention_map_goes_down_the_tree_with_plain_names() -> None:
    at = placed(example())
    rows = sorted((at[name][0][1], name) for name in FAMILIES_PLAIN)
    assert [name for _, name in rows] == ["mallet percussion", "piano", "flute", "clarinet"]
    assert at["struck"][0][0] < at["keys"][0][0] < at["woodwind"][0][0]


def test_attention_map_has_each_weight_in_its_own_cell() -> None:
    at = placed(example())
    level = {name: at[name][0][1] for name in FAMILIES_PLAIN}
    across = {name: at[name][0][0] for name in ("struck", "keys", "woodwind")}
    assert at["60"] == [pytest.approx((across["struck"], level["piano"]))]
    assert at["100"] == [pytest.approx((across["keys"], level["piano"]))]
    assert at["50"] == [pytest.approx((across["woodwind"], level["flute"]))]
    assert "0" not in at, "less than half a percent is left blank"
    heats = [patch for patch in example().axes[0].patches if hexed(patch) == PALETTE["heat"]]
    assert sorted(patch.get_alpha() for patch in heats)[-4:] == pytest.approx([0.4, 0.496, 0.6, 1])


def hexed(patch: object) -> str:
    return to_hex(patch.get_facecolor())  # type: ignore[attr-defined]


def test_attention_map_frames_the_own_tags_of_each_group() -> None:
    frames = [patch for patch in example().axes[0].patches if not patch.get_fill()]
    at = placed(example())
    own = {
        (at[group][0][0], at[tag.replace("_", " ")][0][1])
        for group in FAMILIES.groups
        for tag in FAMILIES.below(group)
    }
    middles = {tuple(np.round(frame.get_center(), 6)) for frame in frames}
    assert middles == {tuple(np.round(place, 6)) for place in own}
    assert len(frames) == 5


def test_attention_map_says_what_was_claimed_and_what_people_said() -> None:
    figure = example()
    at = placed(figure)
    assert (len(at["●"]), len(at["○"])) == (3, 4)
    assert at["83"][0][1] == at["absent"][0][1] == at["piano"][0][1]
    assert len(at["plays"]) == 4  # mallet percussion, clarinet, struck, woodwind
    assert len(at["–"]) == 2  # flute, keys: nobody knows
    orange = [text for text in figure.axes[0].texts if text.get_color() == PALETTE["median"]]
    assert sorted(text.get_text() for text in orange) == ["absent", "plays", "plays"]
    heard = [t.get_text() for t in figure.axes[0].texts if t.get_weight() == "bold"]
    assert set(heard) == {"a clip", "piano", "83", "clarinet", "70", "woodwind", "66"}


@pytest.mark.parametrize("tree", [TONE, Taxonomy.load("hornbostel_sachs"), FAMILIES])
def test_nothing_that_an_attention_map_says_overlaps_or_leaves_the_sheet(tree: Taxonomy) -> None:
    study = make_study(("resatt",), seeds=1, tree=tree)
    heard = study.heard["resatt"]
    tags, groups = answers(study, heard, 0)
    look = heard.prediction.attention[0]
    figure = attention_map(tree, look, tags=tags, groups=groups, title=study.files[0])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    page = figure.bbox
    for place, box in enumerate(boxes):
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1
        assert not any(box.shrunk(0.98, 0.8).overlaps(other) for other in boxes[:place])


def test_reliability_shows_what_the_metric_says_of_observed_cells() -> None:
    study = make_study(clips=200)
    prediction = study.heard["flat"].prediction
    figure = reliability_plot(prediction, study.fine, study.coarse, title="Flat")
    for column, (score, labels) in enumerate(
        ((prediction.fine, study.fine), (prediction.coarse, study.coarse))
    ):
        upper, lower = figure.axes[column], figure.axes[2 + column]
        observed = score[labels.mask], labels.target[labels.mask]
        said, present, cells = reliability(*observed)
        (curve,) = coloured(upper, "full")
        assert np.array_equal(curve.get_xdata(), 100 * said[cells > 0])
        assert np.array_equal(curve.get_ydata(), 100 * present[cells > 0])
        assert [bar.get_height() for bar in lower.patches] == list(cells)
        error = f"{100 * calibration_error(*observed):.1f}"
        assert f"calibration error {error} points" in upper.get_title(loc="left")
        assert f"{labels.mask.sum()} cells" in upper.get_title(loc="left")


def test_reliability_of_nothing_says_so() -> None:
    nothing = Labels(np.zeros((3, 2), bool), np.zeros((3, 2), bool))
    prediction = Prediction(np.full((3, 2), 0.5), np.full((3, 2), 0.5))
    assert words(reliability_plot(prediction, nothing, nothing, title="GMP")).count(
        "nothing was observed"
    ) == 2  # fmt: skip


def test_a_drawing_is_the_same_each_time_and_tells_nothing_of_when_or_by_what() -> None:
    assert drawing(example()) == drawing(example())
    assert "metadata" not in drawing(example())


def test_matplotlib_is_left_as_it_was() -> None:
    before = matplotlib.rcParams.copy()
    drawing(example())
    assert matplotlib.rcParams == before


def test_any_title_is_written_as_it_is() -> None:
    assert HOSTILE in words(example(HOSTILE))
    prediction = make_study().heard["flat"].prediction
    study = make_study()
    plot = reliability_plot(prediction, study.fine, study.coarse, title=HOSTILE)
    assert HOSTILE in words(plot)
    named = box_plots({"F1": {HOSTILE: [1.0, 2.0]}}, reference="Flat")
    assert HOSTILE in words(named)


def test_letters_that_no_svg_may_hold_are_written_as_escapes() -> None:
    assert "\\x1bpiano\\n" in words(example("\x1bpiano\n"))


def test_a_figure_is_saved_as_svg_and_png_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    paths = save(example(), tmp_path / "fig4.right")
    assert [path.name for path in paths] == ["fig4.right.svg", "fig4.right.png"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert paths[0].read_text("utf-8") == drawing(example())
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_a_drawing_inside_a_page_takes_the_colours_of_the_page() -> None:
    element = inline(drawing(example(HOSTILE)), name="fig4", label='"a" < b')
    assert element.startswith('<svg role="img" aria-label="&quot;a&quot; &lt; b"')
    assert not re.search(r"#[0-9a-f]{6}|http|<style|<!|font-family|<script", element)
    assert {f"var(--{ink})" for ink in ("heat", "track", "over", "ink", "soft")} <= set(
        re.findall(r"var\(--\w+\)", element)
    )


def test_drawings_inside_a_page_share_no_ids_and_refer_to_their_own() -> None:
    plot = box_plots(PANELS, reference="Flat")
    first, second = (inline(drawing(plot), name=name, label="") for name in ("a", "b"))
    ids = [set(re.findall(r'\bid="([^"]+)"', element)) for element in (first, second)]
    assert not ids[0] & ids[1]
    for element, known in zip((first, second), ids, strict=True):
        referred = set(re.findall(r'(?:url\(#|href="#)([^")]+)', element))
        assert referred
        assert referred <= known


def test_a_calibration_plot_compares_before_and_after_tag_by_tag() -> None:
    noise = np.random.default_rng(0)
    truth = noise.random((400, 3))
    target, mask = noise.random((400, 3)) < truth, noise.random((400, 3)) < 0.7
    mask[:, 2] = False
    labels = Labels(target, mask)
    figure = calibration_plot(
        truth**2, truth, labels, names=("a_b", HOSTILE, "unknown"), title=HOSTILE
    )
    assert len(figure.axes) == 4
    for axes, rows in zip(figure.axes[:2], (mask, mask & [[True, False, False]]), strict=True):
        for ink, said in (("median", truth**2), ("full", truth)):
            (line,) = coloured(axes, ink)
            wanted = reliability(said[rows], target[rows], bins=BINS)
            full = wanted.cells >= FEWEST
            np.testing.assert_allclose(line.get_xdata(), 100 * wanted.probability[full])
            np.testing.assert_allclose(line.get_ydata(), 100 * wanted.present[full])
    before, after = (
        100 * calibration_error(said[mask], target[mask]) for said in (truth**2, truth)
    )
    said = words(figure)
    assert f"{before:.1f} → {after:.1f} points off" in said
    assert {"a b", "unknown", "not observed", "before", "after"} <= set(said)
    assert any(HOSTILE in each for each in said)
