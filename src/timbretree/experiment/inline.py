"""Figures inside a page: SVG that takes the page's colours and letters, in light and in dark."""

import re
from html import escape

from timbretree.figures import PALETTE


def inline(svg: str, *, name: str, label: str) -> str:
    """The text of an SVG file of ``timbretree.figures`` as an element of an HTML page.

    ``name`` tells its ids from those of the page's other figures; ``label`` is what a screen
    reader says. Colours become the page's custom properties (``--ink`` for PALETTE's ink), and
    letters the page's own.
    """
    element = svg[svg.index("<svg") :].strip()
    element = re.sub(r"<!--.*?-->|<defs>\s*<style.*?</style>\s*</defs>", "", element, flags=re.S)
    element = re.sub(r'\s(xmlns(:xlink)?|version)="[^"]*"', "", element)
    element = re.sub(r"font-family: [^;\"]*;? ?", "", element)
    element = re.sub(r'(\sid="|url\(#|href="#)', rf"\g<1>{name}-", element)
    for ink, colour in PALETTE.items():
        element = element.replace(colour, f"var(--{ink})")
    return element.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
