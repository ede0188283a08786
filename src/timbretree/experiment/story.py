"""The report in words: its headline, what was run, and where we differ from the paper."""

from timbretree.audio import REASONS
from timbretree.experiment.ledger import Study
from timbretree.experiment.statistics import BASELINE, SURE, compare, methods_run
from timbretree.experiment.wording import short
from timbretree.writers.words import listed, shown

MOST_FAILURES = 50
"""Clips left out that are named one by one."""
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DECIDING = ("fine.pr_auc", "coarse.pr_auc")
"""What the headline goes by: the measure that most papers report."""

DIFFERENCES = (
    "The tree is ours. The paper's Fig. 1 can't be recovered from its text; only its woodwinds "
    "(flute, clarinet, saxophone) are certain.",
    "How groups are labelled is not stated. All rows are scored with observed-any: a group is "
    "present if a tag of it is known present, and absent if any tag of it is known and none is "
    "present. So an absent group is seldom verified. Methods called kleene learn from the strict "
    "rule (absent only if all tags are known absent) and are scored like the others.",
    "Level-wise trains with two consistency terms of ours. The paper's come from Krause and Müller "
    "(2022), and their equations are not in it.",
    "Level-wise with Eq. 2 alone, MCM (Giunchiglia and Lukasiewicz 2020) and the kleene rows are "
    "not in the paper.",
    "The paper fine-tunes CNN14 pretrained on AudioSet; what was trained here stands above. Which "
    "layer of CNN14 is the embedding is not stated: ours is PANNs', after fc1 and ReLU. That "
    "ResAtt's attention reads it too, beside the tags, is known from the authors' own figure.",
    "The number of epochs is not stated, nor the schedule after the warm-up. Ours falls to 0 along "
    "a cosine, and the epoch with the lowest validation loss of the tags is kept.",
    "SpecAugment is as in PANNs: two stripes in time, two in frequency. The paper gives no sizes. "
    "A frozen trunk has neither SpecAugment nor dropout.",
    "The heads start at random, the trunk from AudioSet; the paper does not say how heads start.",
    "λ is chosen by the mean over the seeds; the paper does not say over which runs.",
    "Linear projection has a bias and a sigmoid; the paper leaves both open.",
    "Validation clips are chosen by stratification on present and on absent labels; the split is "
    "the same for all seeds. The paper used another library, which takes no seed.",
    "Thresholds are midpoints between two neighbouring validation scores with the best F1. The "
    "paper says only that they were optimised on the validation set.",
    "Which F1 the paper means is not stated. The mean of the F1 of present and of absent agrees "
    "with other published rows, so it stands in Table 1; the F1 of present is in the next table.",
)
"""What the paper leaves open and we decided, or what we did otherwise."""


def headline(study: Study) -> str:
    """The answer in one sentence, as far as the tests give one."""
    methods = methods_run(study.records)
    if not methods:
        return "Nothing has been run yet."
    if BASELINE not in methods:
        return f"{_counted(len(methods), 'method')}, and no flat baseline to compare with."
    if len(methods) == 1:
        return "The flat baseline alone has been run so far."
    if not tested(study):
        return (
            f"{_counted(len(methods), 'method')}, and too few seeds to tell their differences "
            "from chance."
        )
    tags, groups = (_better(study, measure) for measure in DECIDING)
    if len(methods) == 2:
        return _alone(short(methods[1]), tags, groups)
    return (
        f"Of {_number(len(methods) - 1)} methods, {_number(tags)} beat the flat baseline on the "
        f"tags and {_number(groups)} on the groups by more than chance."
    )


def tested(study: Study) -> bool:
    """Whether any method could be tested against the flat baseline."""
    return any(row.p is not None for measure in DECIDING for row in compare(study.records, measure))


def _alone(method: str, tags: int, groups: int) -> str:
    """The headline where one method is compared; 1 for each level on which it is better."""
    if not tags and not groups:
        return f"{method} does not beat the flat baseline by more than chance."
    where = {(1, 1): "on tags and groups", (1, 0): "on the tags", (0, 1): "on the groups"}
    return f"{method} beats the flat baseline {where[tags, groups]} by more than chance."


def _better(study: Study, measure: str) -> int:
    return sum(
        row.adjusted is not None and row.adjusted < SURE and (row.difference or 0) > 0
        for row in compare(study.records, measure)
    )


def facts(study: Study) -> dict[str, str]:
    """What was run, for the head of the page."""
    seeds = sorted({record.cell.seed for record in study.records})
    grid = sorted({record.cell.fine_weight for record in study.records} - {1.0})
    known = {
        "Data set": shown(study.name),
        "Families": shown(study.taxonomy.name) or "your own",
        "Finished runs": str(len(study.records)),
        "Seeds": listed(map(str, seeds)) if seeds else "–",
        "λ": ", ".join(f"{value:g}" for value in grid) or "–",
        "Test clips": f"{len(study.files):,}",
        "Clips left out": f"{len(study.failures):,}" if study.failures else "none",
    }
    hours = sum(record.seconds for record in study.records) / 3600
    known["Time of all runs"] = f"{hours:.1f} h"
    return known | {shown(name): shown(value) for name, value in study.settings.items()}


def failures(study: Study) -> list[tuple[str, str]]:
    """The first clips left out, by name, each with its reason in words."""
    first = sorted(study.failures.items())[:MOST_FAILURES]
    return [(shown(file), REASONS.get(code, shown(code))) for file, code in first]


def _counted(count: int, noun: str) -> str:
    number = _number(count)
    return f"{number[:1].upper()}{number[1:]} {noun}{'' if count == 1 else 's'}"


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)
