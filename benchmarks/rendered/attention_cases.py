"""Find Fig. 4's case by search: a tag wrongly heard whose group did not inherit the mistake.

    python benchmarks/rendered/attention_cases.py DATA OUT --start WEIGHTS ...
        [--method resatt] [--page]

DATA, OUT and what ... stands for are those of heard.py, which must have run. All test clips are
searched, and what is wrong is what the truth says is wrong. How often the case occurs is set beside
GMP's, whose groups inherit every mistake that is the loudest of its family. The figures go to
docs/results with --page, else to OUT.
"""

import argparse
from dataclasses import replace

import numpy as np
from heard import add_options, plan_of
from page import PAGE, put, table
from truths import true_labels

from timbretree.experiment.examples import answers, caption, claims, find
from timbretree.experiment.lab import Lab
from timbretree.experiment.ledger import Heard, Study
from timbretree.figures import attention_map, save
from timbretree.labels import Labels
from timbretree.methods import METHODS
from timbretree.train import accelerator


def true_study(lab: Lab) -> Study:
    """The study with the truth in place of the labels."""
    whole = true_labels(lab.material)
    fine = Labels(*(each[lab.test.rows] for each in whole))
    coarse = lab.plan.source.taxonomy.lift(fine, "observed-any")
    return replace(lab.study(), fine=fine, coarse=coarse)


def count(study: Study, heard: Heard) -> tuple[int, int]:
    """How many tags are claimed that do not sound, in groups of which nothing sounds; and at how
    many of them the group is not claimed."""
    tags, groups = claims(heard)
    parent = study.taxonomy.parent_index
    wrong = tags & ~study.fine.target & ~study.coarse.target[:, parent]
    return int(wrong.sum()), int((wrong & ~groups[:, parent]).sum())


def main() -> None:
    """Read the arguments, search, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--method", default="resatt")
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    lab = Lab(plan_of(asked), asked.out, where=accelerator("cpu"))
    study = true_study(lab)
    rows = []
    for name, heard in study.heard.items():
        wrong, rescued = count(study, heard)
        share = f"{rescued / wrong:.1%}" if wrong else "–"
        rows.append([METHODS[name].short, f"{wrong:,}", f"{rescued:,}", share])
    head = ["method", "tags wrongly heard where no sibling plays", "group not heard", "share"]
    blocks = {"rescued": table(head, rows)}
    heard = study.heard[asked.method]
    folder = PAGE.parent / "results" if asked.page else asked.out
    folder.mkdir(exist_ok=True)
    told = []
    for kind, example in find(study, heard).items():
        if example is None:
            told.append(f"- **{kind}**: no such clip.")
            continue
        tags, groups = answers(study, heard, example.clip)
        attention = np.asarray(heard.prediction.attention)[example.clip]
        title = f"{METHODS[asked.method].short}, {study.files[example.clip]}"
        drawn = attention_map(study.taxonomy, attention, tags=tags, groups=groups, title=title)
        save(drawn, folder / f"attention_{kind}")
        words = " ".join(caption(study, heard, example))
        told.append(f"- **{kind}** (`{study.files[example.clip]}`): {words}\n\n"
                    f"  ![attention](results/attention_{kind}.png)")  # fmt: skip
    blocks["attention"] = "\n".join(told)
    for name, text in blocks.items():
        print(f"\n{name}\n{text}")
        if asked.page:
            put(name, text)


if __name__ == "__main__":
    main()
