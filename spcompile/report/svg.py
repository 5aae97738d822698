"""A matplotlib figure -> SVG that lives inside an HTML page: its colours are the page's own, so it follows light and dark."""

import re
from html import escape
from io import StringIO

# Colours that figures are drawn with stand for variables of templates/style.css.
ROLES = ("ink", "muted", "grid", "surface", "plan", "dense", "budget", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")
COLOURS = {role: f"#0000{place:02x}" for place, role in enumerate(ROLES, 1)}
PALETTE = tuple(role for role in ROLES if re.fullmatch(r"c\d", role))
STYLE = {
    "svg.fonttype": "none",  # text stays text: small, searchable, read aloud
    "font.size": 10,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["muted"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.labelcolor": COLOURS["ink"],
}


def to_svg(figure, name: str, title: str, tooltips: dict[str, str]) -> str:
    """name: prefix of all ids, unique on the page. title: what a screen reader says. tooltips: gid of an artist -> text shown under the pointer."""
    text = StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", pad_inches=0.05, metadata={"Date": None})
    whole = text.getvalue()
    viewbox = re.search(r'viewBox="([^"]+)"', whole)[1]
    body = whole[whole.index(">", whole.index("<svg")) + 1 : whole.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;]+", "font-family: var(--font)", body.replace("xlink:href", "href"))
    body = re.sub(r"\s+", " ", body)
    for role, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{role})")
    for gid, said in tooltips.items():
        body = body.replace(f'<g id="{gid}">', f'<g id="{gid}"><title>{escape(said)}</title>')
    body = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", body)
    return f'<svg class="plot" viewBox="{viewbox}" role="img" aria-label="{escape(title)}">{body}</svg>'
