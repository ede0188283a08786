"""Choose the learning rate of heads by the validation loss of the tags, before anything is scored.

    python benchmarks/rendered/learning_rate.py DATA OUT --start WEIGHTS ...
        [--rates 1e-4,3e-4,1e-3,3e-3] [--page]

DATA, OUT and what ... stands for are those of heard.py. The flat baseline and ResAtt (lambda .8)
are trained with each rate, one seed; the test clips are not looked at by the choice.
"""

import argparse
import dataclasses

from heard import add_options, plan_of
from page import put, table

from timbretree.experiment.lab import Lab
from timbretree.experiment.ledger import Cell
from timbretree.methods import METHODS
from timbretree.train import accelerator

CELLS = (Cell("flat", 1.0, 0), Cell("resatt", 0.8, 0))


def main() -> None:
    """Read the arguments, train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--rates", default="1e-4,3e-4,1e-3,3e-3")
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    lab = Lab(plan_of(asked), asked.out, where=accelerator("cpu"))
    plan, rows = lab.plan, []
    for rate in map(float, asked.rates.split(",")):
        train = dataclasses.replace(plan.train, learning_rate=rate)
        lab.plan = dataclasses.replace(plan, train=train)
        found = [lab.run(cell).record for cell in CELLS]
        rows.append([f"{rate:g}", *(f"{r.valid_fine:.4f} (epoch {r.epoch})" for r in found)])
    head = ["learning rate", *(f"{METHODS[cell.method].short}: validation loss" for cell in CELLS)]
    text = table(head, rows)
    print(text)
    if asked.page:
        put("rates", text)


if __name__ == "__main__":
    main()
