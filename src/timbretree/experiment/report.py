"""The report of a study: tables, figures, and one page that holds them all and stands alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from timbretree.experiment import story
from timbretree.experiment.examples import KINDS, answers, caption, find
from timbretree.experiment.inline import inline
from timbretree.experiment.ledger import Study
from timbretree.experiment.markup import csv_text, latex, markdown
from timbretree.experiment.paper import COLUMNS
from timbretree.experiment.statistics import BASELINE, chosen, methods_run, read
from timbretree.experiment.tables import (
    FURTHER,
    HEADS,
    LEVELS,
    further_measures,
    result_rows,
    table_1,
    weight_rows,
    weights,
)
from timbretree.experiment.tables_of_tests import paired_test_rows, paired_tests
from timbretree.experiment.tables_per_tag import SHOWN, per_tag, per_tag_rows
from timbretree.experiment.wording import short
from timbretree.figures import attention_map, box_plots, drawing, reliability_plot, save
from timbretree.files import write_whole
from timbretree.methods import METHODS
from timbretree.writers.words import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"
HEADINGS = {"right": "Heard right", "wrong": "Heard wrong", "rescued": "Rescued"}


@dataclass(frozen=True)
class Look:
    """One clip of Fig. 4 on the page."""

    heading: str
    svg: str = ""
    """Empty where no clip of the test split is of this kind."""
    words: tuple[str, ...] = ()
    clip: str = ""
    """The name of its file."""


def write_report(folder: Path, study: Study) -> list[Path]:
    """Write all tables and figures of a study and ``report.html``, and say which files those are.

    Each file is written whole or not at all, the page last. Fig. 3 has files where a measure of
    the tags could be scored, Fig. 4 for each kind of clip that occurs, and reliability for each
    method whose answers are at hand.
    """
    figures = _figures(study)
    page = _page(study, {name: _inline(name, figure) for name, figure in figures.items()})
    folder.mkdir(parents=True, exist_ok=True)
    paths = [_put(folder / name, text) for name, text in _texts(study).items()]
    for name, figure in figures.items():
        paths += save(figure, folder / name)
    return [*paths, _put(folder / PAGE, page)]


def _put(path: Path, text: str) -> Path:
    write_whole(path, text)
    return path


def _texts(study: Study) -> dict[str, str]:
    """The tables by the names of their files."""
    first = table_1(study)
    return {
        "table1.md": markdown(first),
        "table1.tex": latex(first),
        "table1.csv": csv_text(result_rows(study, COLUMNS)),
        "further.md": markdown(further_measures(study)),
        "further.csv": csv_text(result_rows(study, FURTHER)),
        "per_tag.md": "\n".join(markdown(per_tag(study, level)) for level in LEVELS),
        "per_tag.csv": csv_text(per_tag_rows(study)),
        "tests.md": "\n".join(markdown(paired_tests(study, level)) for level in LEVELS),
        "tests.csv": csv_text(paired_test_rows(study)),
        "weights.md": markdown(weights(study)),
        "weights.csv": csv_text(weight_rows(study)),
    }


def _figures(study: Study) -> dict[str, Figure]:
    """The figures by the names of their files, without the ending."""
    figures = {}
    if panels := _panels(study):
        figures["fig3"] = box_plots(panels, reference=short(BASELINE))
    if looker := _looker(study):
        heard = study.heard[looker]
        for kind, example in find(study, heard).items():
            if example:
                tags, groups = answers(study, heard, example.clip)
                figures[f"fig4_{kind}"] = attention_map(
                    study.taxonomy,
                    heard.prediction.attention[example.clip],
                    tags=tags,
                    groups=groups,
                    title=f"{HEADINGS[kind]}: {shown(study.files[example.clip])}",
                )
    for method in _heard(study):
        figures[f"reliability_{method}"] = reliability_plot(
            study.heard[method].prediction, study.fine, study.coarse, title=short(method)
        )
    return figures


def _panels(study: Study) -> dict[str, dict[str, list[float]]]:
    """What Fig. 3 shows: measure -> method -> its scores over the seeds in percent."""
    panels = {}
    for key, head in HEADS.items():
        scores = {
            short(method): [
                100 * value
                for run in chosen(study.records, method)
                if (value := read(run.scores, f"fine.{key}")) is not None
            ]
            for method in methods_run(study.records)
        }
        if any(scores.values()):
            panels[head] = scores
    return panels


def _looker(study: Study) -> str | None:
    """The method whose attention Fig. 4 shows: ResAtt, by either rule, where it is at hand."""
    return next(
        (
            method
            for method in _heard(study)
            if METHODS[method].head == "resatt"
            and study.heard[method].prediction.attention is not None
        ),
        None,
    )


def _heard(study: Study) -> list[str]:
    """The methods whose answers are at hand: those of the paper's Fig. 3, then the others."""
    return sorted(
        (method for method in METHODS if method in study.heard),
        key=lambda method: method not in SHOWN,
    )


def _inline(name: str, figure: Figure) -> str:
    kind, _, which = name.partition("_")
    label = "Box plots of how each method scored on the tags"
    if kind == "fig4":
        label = f"Attention map of a clip {HEADINGS[which].lower()}"
    elif kind == "reliability":
        label = f"Reliability of {short(which)}"
    return inline(drawing(figure), name=name, label=label)


def _page(study: Study, drawings: dict[str, str]) -> str:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(Path(__file__).with_name(PAGE).read_text("utf-8"))
    looker = _looker(study)
    page = template.render(
        study=study,
        title=f"Instruments and their families on {shown(study.name)}",
        headline=story.headline(study),
        tested=story.tested(study),
        facts=story.facts(study),
        methods={short(name): METHODS[name].title for name in methods_run(study.records)},
        table_1=table_1(study),
        further=further_measures(study),
        differences=story.DIFFERENCES,
        baseline=BASELINE in methods_run(study.records),
        boxes=drawings.get("fig3", ""),
        tests=[paired_tests(study, level) for level in LEVELS],
        looker=short(looker) if looker else "ResAtt",
        looks=_looks(study, looker, drawings) if looker else [],
        reliability=[(short(name), drawings[f"reliability_{name}"]) for name in _heard(study)],
        single=[per_tag(study, level) for level in LEVELS],
        weights=weights(study),
        failures=story.failures(study),
    )
    return page + "\n"


def _looks(study: Study, looker: str, drawings: dict[str, str]) -> list[Look]:
    heard, looks = study.heard[looker], []
    for kind, example in find(study, heard).items():
        heading = f"{HEADINGS[kind]}: {KINDS[kind]}"
        if example is None:
            looks.append(Look(heading))
            continue
        words = tuple(caption(study, heard, example))
        clip = shown(study.files[example.clip])
        looks.append(Look(heading, drawings[f"fig4_{kind}"], words, clip))
    return looks
