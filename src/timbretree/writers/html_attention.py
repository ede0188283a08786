"""The part of the page that shows why: the attention map of the paper's Fig. 4, and its words."""

from html import escape

from timbretree.tags import GroupScore, Tags, TagScore
from timbretree.writers.html_tree import heard, marked
from timbretree.writers.outline import Branch, outline
from timbretree.writers.words import looks, named, percent, sentence, why

SECTION = """<section aria-labelledby="why">
<h2 id="why">Why</h2>
{words}
{chart}
</section>"""
MAP = """<details class="map"{opened}>
<summary>Attention map</summary>
<p class="key">Each column is a family and shows, in percent, how it spread its attention over the
instruments. Its own instruments are framed. Numbers by the names are probabilities.</p>
<div class="scroll" role="region" aria-label="Attention map" tabindex="0">
<table class="attention">
<caption class="said">How much each family heeded each instrument, in percent</caption>
<thead><tr><td></td>{heads}</tr></thead>
{bodies}
</table>
</div>
</details>"""


def attention(tags: Tags, explain: bool) -> str:
    """A sentence for each present family and the map, tags as rows and groups as columns, each
    with its probability; ``explain`` has the map unfolded. A model that takes no look has no map.
    """
    sentences = [f"<li>{escape(sentence(words))}</li>" for words in why(tags)]
    words = (
        '<ul class="words">\n' + "\n".join(sentences) + "\n</ul>"
        if sentences
        else ("<p>No family was heard.</p>")
    )
    return SECTION.format(words=words, chart=_map(tags, explain) if looks(tags) else "")


def _map(tags: Tags, explain: bool) -> str:
    branches = [branch for root in outline(tags) for branch in root.walk()]
    columns = [branch.score for branch in branches]  # in the order of the rows: a staircase
    bodies = [_body(tags, branch, columns) for branch in branches if branch.tags]
    return MAP.format(
        opened=" open" if explain else "",
        heads="".join(map(_head, columns)),
        bodies="\n".join(bodies),
    )


def _head(score: GroupScore) -> str:
    return (
        f'<th scope="col" class="{heard(score)}"><span class="turned">{marked(score)}</span>'
        f'<span class="percent">{percent(score.probability)}</span></th>'
    )


def _body(tags: Tags, branch: Branch, columns: list[GroupScore]) -> str:
    own = {branch.score.group, *branch.path}
    rows = "\n".join(_row(score, columns, own) for score in branch.tags)
    return f'<tbody aria-label="{escape(named(branch.score.group))}">\n{rows}\n</tbody>'


def _row(tag: TagScore, columns: list[GroupScore], own: set[str]) -> str:
    cells = "".join(_cell(tag, group, group.group in own) for group in columns)
    return (
        f'<tr class="{heard(tag)}"><th scope="row"><div class="entry">{marked(tag)}'
        f'<span class="percent">{percent(tag.probability)}</span></div></th>{cells}</tr>'
    )


def _cell(tag: TagScore, group: GroupScore, own: bool) -> str:
    if not group.attention:
        return '<td class="none">–</td>'
    weight = group.attention[tag.tag]
    number = f"{100 * weight:.0f}" if weight >= 0.005 else ""
    frame = ' class="own"' if own else ""
    return f'<td{frame} style="--p:{weight:.2f}">{number}</td>'
