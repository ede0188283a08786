"""What a model file says of itself, for a person to read."""

from collections.abc import Iterable
from textwrap import fill

from timbretree.bands import Bands
from timbretree.calibration import UNTOUCHED, Calibrated
from timbretree.modelfile import ModelInfo
from timbretree.tags import plain


def write(info: ModelInfo) -> str:
    """The card of a model: what it knows, how it was made, how well it does; 80 columns."""
    spec = info.melspec
    raw = (info.tag_calibration, info.group_calibration) == (UNTOUCHED, UNTOUCHED)
    lines = [
        info.name,
        f"network      {info.backbone}, head {info.head}",
        f"hears        {info.seconds:g} s at a time, {spec.rate} Hz mono, {spec.mels} mel bands",
        f"calibrated   {'no' if raw else 'yes, tag by tag and family by family'}",
        f"licence      {info.licence}",
        "",
        *_families(info),
    ]
    if info.scores:
        lines += ["", "scores (valid_: on the data by which choices were made)"]
        lines += [f"  {name:<24} {value:.3f}" for name, value in info.scores.items()]
    if info.provenance:
        lines += ["", "how it was made"]
        lines += [fill(part, 80, initial_indent="  ", subsequent_indent="  ")
                  for part in info.provenance.splitlines()]  # fmt: skip
    return "\n".join(lines) + "\n"


def _families(info: ModelInfo) -> list[str]:
    """Each family with its tags, and from which probability on they are unsure and present."""
    tree, answers = info.taxonomy, Calibrated.of(info)
    tags, groups = _spans(tree.tags, answers.tag_bands), _spans(tree.groups, answers.group_bands)
    name = tree.name or "its taxonomy"
    lines = [f"families of {name}, and the thresholds from which each is present"]
    if any("–" in span for span in (*tags.values(), *groups.values())):
        lines = [f"families of {name}; 0.30–0.60: unsure from 0.30 on, present from 0.60 on"]
    for group in tree.groups:
        below = ", ".join(f"{plain(tag)} {tags[tag]}" for tag in tree.below(group))
        text = f"{plain(group)} {groups[group]}: {below}"
        lines.append(fill(text, 80, initial_indent="  ", subsequent_indent="    "))
    return lines


def _spans(names: Iterable[str], bands: Bands) -> dict[str, str]:
    return {
        name: f"{high:.2f}" if low == high else f"{low:.2f}–{high:.2f}"
        for name, high, low in zip(names, *bands, strict=True)
    }
