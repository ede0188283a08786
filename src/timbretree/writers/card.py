"""What a model file says of itself, for a person to read."""

from textwrap import fill

from timbretree.modelfile import ModelInfo
from timbretree.tags import plain


def write(info: ModelInfo) -> str:
    """The card of a model: what it knows, how it was made, how well it does; 80 columns."""
    tree, spec = info.taxonomy, info.melspec
    lines = [
        info.name,
        f"network      {info.backbone}, head {info.head}",
        f"hears        {info.seconds:g} s at a time, {spec.rate} Hz mono, {spec.mels} mel bands",
        f"licence      {info.licence}",
        "",
        f"families of {tree.name or 'its taxonomy'}, and the thresholds from which each is present",
    ]
    thresholds = dict(zip(tree.tags, info.tag_thresholds, strict=True))
    for group, threshold in zip(tree.groups, info.group_thresholds, strict=True):
        below = ", ".join(f"{plain(tag)} {thresholds[tag]:.2f}" for tag in tree.below(group))
        text = f"{plain(group)} {threshold:.2f}: {below}"
        lines.append(fill(text, 80, initial_indent="  ", subsequent_indent="    "))
    if info.scores:
        lines += ["", "scores (valid_: on the data by which choices were made)"]
        lines += [f"  {name:<24} {value:.3f}" for name, value in info.scores.items()]
    if info.provenance:
        lines += ["", "how it was made"]
        lines += [fill(part, 80, initial_indent="  ", subsequent_indent="  ")
                  for part in info.provenance.splitlines()]  # fmt: skip
    return "\n".join(lines) + "\n"
