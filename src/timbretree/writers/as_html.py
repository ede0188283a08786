"""What was heard as a page of its own: no script, nothing loaded, to be opened from anywhere."""

import re
from html import escape
from pathlib import Path
from string import Template

from timbretree.tags import Tags
from timbretree.writers.html_attention import attention
from timbretree.writers.html_timeline import timeline
from timbretree.writers.html_tree import tree
from timbretree.writers.words import headline, length, sentence, shown, titled

PAGE = "page.html"


def write(tags: Tags, explain: bool) -> str:
    """A page with the tree, a timeline, the attention map and notes.

    ``explain`` opens the attention map, which is folded otherwise; why each family was heard is
    told in words either way. All names are escaped, and the page forbids itself to load or run
    anything, so that a file named ``<script>`` does no harm.
    """
    heard = tags.status != "failed" and tags.reason != "silent"
    sections = [tree(tags), timeline(tags), attention(tags, explain)] if heard else []
    page = Template(Path(__file__).with_name(PAGE).read_text("utf-8"))
    return page.substitute(
        title=escape(_title(tags)),
        headline=escape(headline(tags)),
        facts=_facts(tags),
        notice=_notice(tags),
        sections="\n".join(filter(None, [*sections, _notes(tags)])),
    )


def _title(tags: Tags) -> str:
    return shown(re.split(r"[\\/]", tags.file)[-1]) or titled(tags)


def _facts(tags: Tags) -> str:
    facts = {"Length": length(tags.seconds)} if tags.status != "failed" else {}
    facts["Model"] = shown(tags.model)
    facts["Families"] = shown(tags.taxonomy.name) or "your own"
    if _title(tags) != titled(tags):
        facts["File"] = titled(tags)
    return "\n".join(
        f"<div><dt>{key}</dt><dd>{escape(fact)}</dd></div>" for key, fact in facts.items()
    )


def _notice(tags: Tags) -> str:
    if tags.status == "ok" and tags.reason is None:
        return ""
    words = {"failed": "Not heard", "partial": "Heard in part"}.get(tags.status, "Silence")
    because = sentence(shown(tags.message)) if tags.message else ""
    code = f" <code>{escape(shown(tags.reason))}</code>" if tags.reason else ""
    return f'<p class="notice"><strong>{words}.</strong> {escape(because)}{code}</p>'


def _notes(tags: Tags) -> str:
    if not tags.notes:
        return ""
    items = "\n".join(f"<li>{escape(sentence(shown(note)))}</li>" for note in tags.notes)
    return (
        f'<section aria-labelledby="notes">\n<h2 id="notes">Notes</h2>\n'
        f'<ul class="words">\n{items}\n</ul>\n</section>'
    )
