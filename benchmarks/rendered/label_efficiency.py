"""How much each method makes of few labels: train with a share of all cells observed.

    python benchmarks/rendered/label_efficiency.py DATA OUT --start WEIGHTS ...
        [--methods all] [--seeds 4] [--shares .05,.10,.25,.50,1] [--json FILE] [--page]

DATA, OUT and what ... stands for are those of heard.py, which must have run: lambda is the one that
was chosen there. In the train and validation clips, a share of all cells is drawn by chance, others
for each seed, and told as it truly is; coarse labels are made of those by the method's own rule.
Test clips are scored against their whole truth. A finished run is not repeated.
"""

import argparse
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from heard import add_options, plan_of
from page import PAGE, percent, put, table
from truths import true_labels

from timbretree.experiment.lab import Lab, LabPlan
from timbretree.experiment.ledger import Cell, Ledger, Record
from timbretree.experiment.statistics import BASELINE, chosen_weight, methods_run, summarise
from timbretree.figures import save
from timbretree.labels import Labels
from timbretree.methods import METHODS
from timbretree.train import accelerator
from timbretree.workers import as_done


@lru_cache(maxsize=1)
def _lab(plan: LabPlan, out: Path, share: float, seed: int) -> Lab:
    """The lab with other labels: some of the truth where it learns, all of it where it scores."""
    lab = Lab(plan, out, where=accelerator("cpu"))
    target, mask = true_labels(lab.material)
    told = np.random.default_rng([seed, round(1000 * share)]).random(mask.shape) < share
    told[np.array(lab.material.annotations.splits) == "test"] = True
    annotations = replace(lab.material.annotations, labels=Labels(target & told, told))
    lab.material = replace(lab.material, annotations=annotations)
    lab.valid = lab.material.part("valid", inputs=lab.inputs)
    lab.test = lab.material.part("test", inputs=lab.inputs)
    return lab


def _run(plan: LabPlan, out: Path, share: float, cell: Cell) -> tuple[float, Record]:
    return share, _lab(plan, out, share, cell.seed).run(cell).record


def ledger_of(out: Path, share: float) -> Ledger:
    """Where the runs of a share are written down."""
    return Ledger(out / "shares" / f"{share:g}")


def train(plan: LabPlan, out: Path, cells: list[Cell], shares: list[float]) -> dict[float, Ledger]:
    """Train what is not trained yet; a head is trained on one core."""
    ledgers = {share: ledger_of(out, share) for share in shares}
    left = [(share, cell) for share in shares for cell in cells if cell not in ledgers[share]]
    left.sort(key=lambda job: (job[1].seed, job[0]))  # a process prepares labels seldom
    print(f"{len(left)} runs to go", flush=True)
    calls = ((plan, out, share, cell) for share, cell in left)
    for number, (share, record) in enumerate(as_done(_run, calls), 1):
        ledgers[share].add(record)
        if number % 20 == 0:
            print(f"{number}/{len(left)}", flush=True)
    return ledgers


Values = dict[str, dict[float, list[float]]]


def values_of(ledgers: dict[float, Ledger], cells: list[Cell], level: str) -> Values:
    """Method -> share -> PR-AUC on the truth, one a seed."""
    found: Values = {}
    for share, ledger in ledgers.items():
        for record in ledger.records:
            if record.cell in cells:
                value = getattr(record.scores, level).pr_auc
                found.setdefault(record.cell.method, {}).setdefault(share, []).append(value)
    return {name: found[name] for name in METHODS if name in found}


def efficiency_table(values: Values, shares: list[float]) -> str:
    """The mean over the seeds and the standard deviation, by share of cells observed."""
    rows = []
    for method, by_share in values.items():
        cells = [METHODS[method].short]
        for share in shares:
            found = summarise(by_share[share])
            cells.append(f"{percent(found.mean)} ±{100 * (found.spread or 0):.2f}")
        rows.append(cells)
    return table(["method", *(f"{share:.0%}" for share in shares)], rows)


def figure(fine: Values, coarse: Values, shares: list[float]) -> plt.Figure:
    """What each method gains over the flat baseline, tags and groups, by share observed."""
    drawn, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharex=True)
    lines = [name for name in fine if name != BASELINE and METHODS[name].rule != "kleene"]
    for axis, values, title in zip(axes, (fine, coarse), ("tags", "groups"), strict=True):
        for number, name in enumerate(lines):
            gain = [100 * (np.mean(values[name][s]) - np.mean(values[BASELINE][s])) for s in shares]
            axis.plot(shares, gain, marker="o", markersize=4, color=f"C{number}",
                      label=METHODS[name].short)  # fmt: skip
            if f"{name}-kleene" in values:
                strict = values[f"{name}-kleene"]
                gain = [100 * (np.mean(strict[s]) - np.mean(values[BASELINE][s])) for s in shares]
                axis.plot(shares, gain, linestyle=":", linewidth=1.2, color=f"C{number}")
        axis.axhline(0, color="0.4", linewidth=0.8)
        axis.set_xscale("log")
        axis.set_xticks(shares, [f"{share:.0%}" for share in shares])
        axis.minorticks_off()
        axis.set_xlabel("cells observed")
        axis.set_title(f"PR-AUC of {title} on the truth, against the flat baseline", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    axes[1].set_ylim(bottom=-5)  # LP and some of kleene fall far below: see the table
    axes[0].set_ylabel("points (dotted: kleene labels)")
    axes[1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawn


def main() -> None:
    """Read the arguments, train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--methods", default="all")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--shares", default=".05,.10,.25,.50,1")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    plan = plan_of(asked)
    done = Ledger(asked.out / "runs").records
    methods = methods_run(done) if asked.methods == "all" else asked.methods.split(",")
    shares = sorted(float(each) for each in asked.shares.split(","))
    cells = [Cell(name, chosen_weight(done, name), seed)
             for seed in range(asked.seeds) for name in methods]  # fmt: skip
    ledgers = train(plan, asked.out, cells, shares)
    fine, coarse = (values_of(ledgers, cells, level) for level in ("fine", "coarse"))
    for name, values in (("efficiency-fine", fine), ("efficiency-coarse", coarse)):
        text = efficiency_table(values, shares)
        print(f"\n{name}\n{text}")
        if asked.page:
            put(name, text)
    if asked.page:
        (PAGE.parent / "results").mkdir(exist_ok=True)
        save(figure(fine, coarse, shares), PAGE.parent / "results" / "label_efficiency")
    if asked.json:
        record = {"fine": fine, "coarse": coarse, "seeds": asked.seeds}
        asked.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
