"""Draws what each head lets flow where, for docs/methods.md: python docs/pictures/heads.py

Nothing here knows the heads. Each is asked about random embeddings; a line between a tag and a
group is drawn where the gradient of one by the other is not 0, as wide as it is for the first
embedding, and faint where it is 0 for that one and not for others.
"""

from pathlib import Path

import torch
from torch import Tensor

from timbretree.backbones import BACKBONES
from timbretree.heads import HEADS
from timbretree.taxonomy import Taxonomy

HERE = Path(__file__).parent
TREE = Taxonomy(
    "five",
    ("flute", "clarinet", "saxophone", "violin", "cello"),
    {"woodwind": ("flute", "clarinet", "saxophone"), "bowed strings": ("violin", "cello")},
)
FEATURES, CLIPS = 8, 50
TAGS = {tag: 118 + 72 * place for place, tag in enumerate(TREE.tags)}
GROUPS = {"woodwind": 190, "bowed strings": 370}
"""Where the middle of each name is."""
UPPER, LOWER = 40, 150
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #222; text-anchor: middle }
.z { font: italic 600 15px serif } .small { font-size: 11px; fill: #555 }
rect, circle { fill: #f2f7f4; stroke: #1c6b4a }
line { stroke: #1c6b4a } .faint { stroke: #bbb; stroke-dasharray: 3 3 }
.feed { stroke: #777 } .look { stroke: #777; stroke-dasharray: 5 4 }
.feed, .down { marker-end: url(#tip) } path { fill: #1c6b4a }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .small { fill: #aaa } rect, circle { fill: #22302a; stroke: #5fae88 }
  line { stroke: #5fae88 } .faint { stroke: #666 } .feed, .look { stroke: #999 }
  path { fill: #5fae88 }
}
"""
ARROW = (
    '<marker id="tip" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="9" markerHeight="9" '
    'orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0 L8 4 L0 8 z"/></marker>'
)


def upward(head: torch.nn.Module, embeddings: Tensor) -> Tensor:
    """(B, F, C): how much each group's probability goes with that of each tag."""
    prediction = head(embeddings)
    columns = []
    for column in prediction.coarse.T:
        (slope,) = torch.autograd.grad(
            column.sum(), prediction.fine, retain_graph=True, allow_unused=True
        )
        columns.append(torch.zeros_like(prediction.fine) if slope is None else slope.abs())
    return torch.stack(columns, dim=2)


def downward(head: torch.nn.Module, embeddings: Tensor) -> Tensor:
    """(F, C): whether each tag's probability goes with the classifier of each group."""
    weights = dict(head.named_parameters()).get("coarse.weight")
    if weights is None:
        return torch.zeros(len(TREE.tags), len(TREE.groups))
    rows = [
        torch.autograd.grad(column.sum(), weights, retain_graph=True, allow_unused=True)[0]
        for column in head(embeddings).fine.T
    ]
    nothing = torch.zeros_like(weights)
    return torch.stack([(nothing if row is None else row).abs().sum(dim=1) for row in rows])


def draw(name: str) -> str:
    """One head as SVG."""
    torch.manual_seed(0)
    head = HEADS[name](FEATURES, TREE).train()
    embeddings = torch.randn(CLIPS, FEATURES)
    layers = {layer: tuple(each.shape) for layer, each in head.named_parameters()}
    up, down = upward(head, embeddings), downward(head, embeddings)
    parts = [ARROW, _row(UPPER), _row(LOWER), '<circle cx="34" cy="95" r="18"/>',
             '<text x="34" y="100" class="z">Z</text>']  # fmt: skip
    parts.append(_feed(LOWER))
    if layers.get("coarse.weight", (0, 0))[1] == FEATURES:
        parts.append(_feed(UPPER))
    if "attention.weight" in layers:
        parts += ['<line x1="54" y1="95" x2="440" y2="95" class="look"/>']
    for row, x in enumerate(TAGS.values()):
        for column, above in enumerate(GROUPS.values()):
            now, ever = up[0, row, column].item(), up[:, row, column].max().item()
            if now or ever:
                width = max(1, round(6 * now / up[0, :, column].max().item())) if now else 1
                parts.append(_line(x, LOWER - 15, above, UPPER + 15, width, "" if now else "faint"))
            if down[row, column]:
                parts.append(_line(above, UPPER + 15, x, LOWER - 19, 2, "down"))
    parts += [_text(x, UPPER + 4, group) for group, x in GROUPS.items()]
    parts += [_text(x, LOWER + 4, tag) for tag, x in TAGS.items()]
    parts.append(_text(263, LOWER + 38, f"{size(name):,} weights on mn04 and tone7", "small"))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 460 200" width="460" height="200" '
        f'role="img" aria-label="{name}: what flows where">\n<style>{STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def size(name: str) -> int:
    """How many weights a head has on the trunk and the tree of the shipped model."""
    head = HEADS[name](BACKBONES["mn04"]().num_features, Taxonomy.load("tone7"))
    return sum(each.numel() for each in head.parameters())


def _row(y: int) -> str:
    return f'<rect x="78" y="{y - 15}" width="372" height="30" rx="8"/>'


def _feed(y: int) -> str:
    side = 1 if y > 95 else -1
    return f'<line x1="46" y1="{95 + 14 * side}" x2="74" y2="{y - 4 * side}" class="feed"/>'


def _line(x1: int, y1: int, x2: int, y2: int, width: int, kind: str) -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke-width="{width}"{style}/>'


def _text(x: int, y: int, words: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{style}>{words}</text>'


def drawings() -> dict[str, str]:
    """Each picture by its name."""
    return {f"head-{name}.svg": draw(name) for name in HEADS.built_in}


if __name__ == "__main__":
    for name, drawing in drawings().items():
        (HERE / name).write_text(drawing, "utf-8")
