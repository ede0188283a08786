"""The part of the page that shows the tree: each family with its instruments, as bars."""

from html import escape

from timbretree.tags import GroupScore, Tags, TagScore
from timbretree.writers.outline import Branch, outline
from timbretree.writers.words import UNSURE, answer, doubtful, mark, named, percent

SECTION = """<section aria-labelledby="tree">
<h2 id="tree">Families and instruments</h2>
<p class="key"><span class="term"><span aria-hidden="true">●</span> heard</span>
{unsure}<span class="term"><span aria-hidden="true">○</span> not heard</span>
<span class="term">The bar is how probable it is.</span></p>
<ul class="tree">
{families}
</ul>
</section>"""


def tree(tags: Tags) -> str:
    """All families and instruments in the order of the tree, each with its probability."""
    term = f'<span class="term"><span aria-hidden="true">◐</span> {UNSURE}</span>\n'
    return SECTION.format(
        families="\n".join(map(_branch, outline(tags))), unsure=term if doubtful(tags) else ""
    )


def heard(score: TagScore | GroupScore) -> str:
    """The class of a row or column: the three answers are told apart by more than colour."""
    return "heard" if score.present else "unsure" if score.unsure else "unheard"


def marked(score: TagScore | GroupScore) -> str:
    """The mark and name of a tag or group, for eyes and for screen readers."""
    name = escape(named(score.name))
    return (
        f'<span class="mark" aria-hidden="true">{mark(score)}</span>'
        f'<span class="name">{name}<span class="said">, {answer(score)}</span></span>'
    )


def _branch(branch: Branch) -> str:
    below = [f"<li>{_row(tag)}</li>" for tag in branch.tags]
    below += map(_branch, branch.branches)
    inner = "\n".join(below)
    return f'<li class="family">{_row(branch.score)}\n<ul>\n{inner}\n</ul></li>'


def _row(score: TagScore | GroupScore) -> str:
    share = f"{100 * score.probability:.1f}%"
    return (
        f'<div class="row {heard(score)}">{marked(score)}'
        f'<span class="bar" aria-hidden="true"><i style="width:{share}"></i></span>'
        f'<span class="percent">{percent(score.probability)}</span></div>'
    )
