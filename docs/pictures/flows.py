"""Draws the two flows of docs/hearing.md from the code: python docs/pictures/flows.py

Every step is a name that is looked up, every number is read from the shipped model or from what
trains one, and an arrow is drawn only where one module of ours names both of its ends, or what
passes between them.
"""

import ast
import sys
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from timbretree.decoding import CLIP
from timbretree.export import TOLERANCE
from timbretree.modelfile import SHIPPED, ModelFile
from timbretree.onnxbytes import OnnxBytes
from timbretree.tagger import BEST
from timbretree.train import TrainConfig
from timbretree.writers import WRITERS

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
WIDTH, BOX, GAP, MARGIN = 400, 74, 44, 10
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #222; text-anchor: middle }
.name { font: 600 13px ui-monospace, "DejaVu Sans Mono", monospace; fill: #14553a }
.small { font-size: 12px; fill: #555 }
.title { font-weight: 600; font-size: 15px }
rect { fill: #f2f7f4; stroke: #1c6b4a }
.end { fill: #fff; stroke: #999 }
line { stroke: #777 } path { fill: #777 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .name { fill: #8fd3b0 } .small { fill: #aaa }
  rect { fill: #22302a; stroke: #5fae88 } .end { fill: none; stroke: #888 }
  line { stroke: #999 } path { fill: #999 }
}
"""


@dataclass(frozen=True)
class Step:
    """A place where something is made of what comes in."""

    place: str
    """module.name, below ``timbretree``."""
    words: tuple[str, str]
    """What it does, and with which numbers."""
    gives: str
    """What goes on from there."""
    seen_by: str
    """The module that names this step and the next one."""


def tagging() -> tuple[Step, ...]:
    """A file in, tags out."""
    file = ModelFile(SHIPPED)
    info, spec = file.info, file.info.melspec
    tags, groups = len(info.taxonomy.tags), len(info.taxonomy.groups)
    weights = sum(
        each.size for name, each in OnnxBytes(SHIPPED.read_bytes()).weights() if "net." in name
    )
    width = 1000 * spec.window / spec.rate
    step = 1000 * spec.hop / spec.rate
    window = f"{spec.frames(round(info.seconds * spec.rate))} × {spec.mels}"
    embedding = file.runtime.outputs["embedding"][1]
    attention = "" if "attention" not in file.runtime.outputs else f", attention {tags} × {groups}"
    return (
        Step("audio.Recording", ("decodes in blocks, mixes to mono, resamples",
             "knows a file by its content, not its name"),
             f"{spec.rate:,} samples a second", "tagger"),
        Step("melspec.log_mel", ("a picture of pitch over time",
             f"{width:g} ms every {step:g} ms, {spec.mels} mel bands to {spec.high / 1000:g} kHz"),
             f"log-mel, {spec.rate // spec.hop} frames a second", "hearing"),
        Step("hearing.hear", ("cuts into windows, leaves silence out",
             f"{info.seconds:g} s, one every {info.hop:g} s"),
             f"{window} a window", "hearing"),
        Step("modelfile.ModelFile", (f"trunk {info.backbone} makes {embedding} numbers, "
             f"head {info.head} names", f"{weights:,} weights, "
             f"{SHIPPED.stat().st_size / 1e6:.1f} MB, by ONNX Runtime"),
             f"{tags} tags, {groups} groups{attention}", "modelfile"),
        Step("calibration.Calibrated", ("puts probabilities right, and knows",
             "from where on each is unsure, and present"),
             "calibrated probabilities", "tagger"),
        Step("tagger.Tagger", ("one answer for the whole recording",
             f"mean of the best 1 in {BEST} windows"), "Tags", "writers"),
        Step("writers.WRITERS", ("written down, for people and programs",
             f"{len(WRITERS.built_in)} formats"), "", ""),
    )  # fmt: skip


def learning() -> tuple[Step, ...]:
    """Labels in, a model out."""
    config = TrainConfig()
    share = config.objective.fine_weight
    return (
        Step("datasets.read_dataset", ("what people said: plays, does not, nobody knows",
             "a csv of your own, or OpenMIC-2018"), "Annotations (target and mask)", "material"),
        Step("decoding.decode_clips", ("each clip is decoded once, into one file",
             f"the first {CLIP:g} s, 16-bit samples"), "samples on disk", "material"),
        Step("material.prepare", ("samples and labels, split; groups' labels by",
             "Taxonomy.lift"), "ClipSet", "session"),
        Step("train.Learner", (f"Adam, {config.epochs} epochs of batches of {config.batch}, "
             f"rate {config.learning_rate:g}", f"{share:g} × loss of tags + "
             f"{1 - share:.1f} × loss of groups"), "the best epoch's network", "session"),
        Step("calibration.calibrate", ("fits probabilities and thresholds",
             "on the validation clips"), "with calibration", "session"),
        Step("checkpoint.Checkpoint", ("weights, tree, calibration in one file",
             ".safetensors"), "Checkpoint", "export"),
        Step("export.export", ("writes ONNX, opens it and compares:",
             f"torch and ONNX Runtime within {TOLERANCE:.0e}"),
             "a model file", "export"),
        Step("modelfile.ModelFile", ("verified as it is opened",
             "and used by the other flow"), "", ""),
    )  # fmt: skip


FLOWS = {
    "flow-tagging.svg": ("A file in, tags out", tagging, "a sound file", "a person"),
    "flow-learning.svg": ("Labels in, a model out", learning, "clips and their labels", ""),
}


def draw(title: str, steps: tuple[Step, ...], begins: str, ends: str) -> str:
    """One flow as SVG, from top to bottom."""
    for step, following in pairwise(steps):
        check(step, following)
    parts, y = [f'<text x="{WIDTH // 2}" y="22" class="title">{escape(title)}</text>'], 36
    parts += _end(y, begins)
    y += 30
    parts += _arrow(y, "")
    y += GAP - 16
    for step in steps:
        parts.append(f'<rect x="{MARGIN}" y="{y}" width="{WIDTH - 2 * MARGIN}" height="{BOX}" '
                     'rx="8"/>')  # fmt: skip
        parts.append(_text(y + 22, step.place, "name"))
        parts += [_text(y + 42 + 19 * row, line, "") for row, line in enumerate(step.words)]
        y += BOX
        if step.gives or ends:
            parts += _arrow(y, step.gives)
            y += GAP if step.gives else GAP - 16
    if ends:
        parts += _end(y, ends)
        y += 30
    needs = packages({step.place.split(".")[0] for step in steps})
    parts.append(_text(y + 22, "with torch" if "torch" in needs else "without torch", "small"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 34}" '
        f'width="{WIDTH}" height="{y + 34}" role="img" aria-label="{escape(title)}">\n'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def check(step: Step, following: Step) -> None:
    """Raise where nothing in the code leads from one step to the next."""
    names = named(file_of(f"timbretree.{step.seen_by}"))
    here, there = step.place.split(".")[1], following.place.split(".")[1]
    if not names & {here, step.gives} or there not in names:
        raise LookupError(f"{step.seen_by} no longer leads from {here} to {there}")


def file_of(module: str) -> Path:
    """Where a module of ours is."""
    path = SOURCE / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def named(path: Path) -> set[str]:
    """All that a module imports, defines or assigns, by its last name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def packages(rooms: set[str]) -> set[str]:
    """What other people's packages some modules of ours import, and all that they are built on."""
    found, seen, waiting = set(), set(), [f"timbretree.{room}" for room in rooms]
    while waiting:
        module = waiting.pop()
        path = file_of(module)
        if module in seen or not path.exists():
            continue
        seen.add(module)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            waiting += [name for name in names if name.startswith("timbretree.")]
            if names and names[0] == "timbretree" and isinstance(node, ast.ImportFrom):
                waiting += [f"timbretree.{alias.name}" for alias in node.names]
            found |= {name.split(".")[0] for name in names}
    return found - set(sys.stdlib_module_names) - {"timbretree"}


def _end(y: int, words: str) -> list[str]:
    return [
        f'<rect x="{WIDTH // 4}" y="{y}" width="{WIDTH // 2}" height="30" rx="15" class="end"/>',
        _text(y + 20, words, ""),
    ]


def _arrow(y: int, words: str) -> list[str]:
    tip = y + (GAP if words else GAP - 16)
    middle = WIDTH // 2
    ends = [(y, y + 10), (y + 30, tip - 6)] if words else [(y, tip - 6)]
    lines = [f'<line x1="{middle}" y1="{top}" x2="{middle}" y2="{low}"/>' for top, low in ends]
    head = f'<path d="M{middle - 5} {tip - 8} h10 l-5 8 z"/>'
    return [*lines, head, *([_text(y + 24, words, "small")] if words else [])]


def _text(y: int, words: str, kind: str) -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{WIDTH // 2}" y="{y}"{style}>{escape(words)}</text>'


def drawings() -> dict[str, str]:
    """Each picture by its name."""
    return {
        name: draw(title, steps(), begins, ends)
        for name, (title, steps, begins, ends) in FLOWS.items()
    }


if __name__ == "__main__":
    for name, drawing in drawings().items():
        (HERE / name).write_text(drawing, "utf-8")
