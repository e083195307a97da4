"""Search without a server: the text of every section of every page, in one script that a page reads when asked.

A browser that shows files may not fetch one, but it may run one: so the index is JavaScript, `search.js`, which hands
its data to the page's `diffusionSearch` (shell.js). Solutions and folded answers are left out, so that no result gives
one away.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence

# What is folded under such words is not searched.
SPOILERS = re.compile(r"answer|solution|what (you should|to)", re.I)
HEADINGS = ("h1", "h2", "h3", "h4")
SIGNS = {
    r"\mid": "|", r"\Vert": "‖", r"\cdot": "·", r"\cdots": "…", r"\dots": "…", r"\ldots": "…", r"\times": "×",
    r"\le": "≤", r"\ge": "≥", r"\ne": "≠", r"\approx": "≈", r"\sim": "~", r"\to": "→", r"\infty": "∞", r"\sum": "∑",
    r"\prod": "∏", r"\int": "∫", r"\partial": "∂", r"\nabla": "∇", r"\pm": "±", r"\sqrt": "√", r"\in": "∈",
    r"\propto": "∝", r"\alpha": "α", r"\beta": "β", r"\gamma": "γ", r"\delta": "δ", r"\varepsilon": "ε",
    r"\epsilon": "ε", r"\eta": "η", r"\theta": "θ", r"\kappa": "κ", r"\lambda": "λ", r"\Lambda": "Λ", r"\mu": "μ",
    r"\nu": "ν", r"\pi": "π", r"\rho": "ρ", r"\sigma": "σ", r"\Sigma": "Σ", r"\tau": "τ", r"\phi": "φ",
    r"\varphi": "φ", r"\psi": "ψ", r"\omega": "ω",
}  # fmt: skip
UNSEEN = (
    r"\\(?:begin|end)\{\w+\*?\}|"
    r"\\(?:q?quad|[bB]ig+[lrm]?|left|right|math\w+|text\w*|operatorname|boxed|[dt]?frac)(?![a-zA-Z])"
)
ACCENTS = {r"\bar": "\u0304", r"\hat": "\u0302", r"\tilde": "\u0303", r"\dot": "\u0307"}


def entries(body: str) -> list[tuple[str, str, str]]:
    """The sections of a page's HTML: `(anchor, heading, text)`, from one heading to the next, in the page's order."""
    from bs4 import BeautifulSoup, NavigableString

    soup = BeautifulSoup(re.sub(r'\bsrc="data:[^"]*"', "", body), "html.parser")  # pictures are most of a page
    for details in soup.find_all("details"):
        if details.summary and SPOILERS.search(details.summary.get_text()):
            details.extract()
    for node in soup.find_all(["script", "style", "svg"]):
        node.extract()
    sections: list[tuple[str, str, list[str]]] = [("", "", [])]
    for node in soup.descendants:
        if isinstance(node, NavigableString):
            if type(node) is NavigableString and node.find_parent(HEADINGS) is None:  # and no comment
                sections[-1][2].append(str(node))
        elif node.name in HEADINGS and node.get("id"):
            sections.append((node["id"], plain(node.get_text()), []))
    texts = [(anchor, heading, plain("".join(parts))) for anchor, heading, parts in sections]
    return [entry for entry in texts if entry[1] or entry[2]]


def script(pages: Sequence[tuple[str, str]], sections: Iterable[Sequence[tuple[str, str, str]]]) -> str:
    """The index as JavaScript. pages: (file, title) of each; sections: what `entries` gives for each."""
    listed = [[number, *entry] for number, page in enumerate(sections) for entry in page]
    data = json.dumps({"pages": pages, "sections": listed}, ensure_ascii=False, separators=(",", ":"))
    return f"diffusionSearch({data});\n"


def plain(text: str) -> str:
    r"""Text as one line, with formulas in letters: `$\bar\alpha_t$` becomes ᾱ_t."""

    def letters(match: re.Match) -> str:
        formula = (match[1] or match[2]).replace("\\\\", " ")  # a line's end
        formula = re.sub(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2", formula)
        formula = re.sub(UNSEEN, "", formula)
        for command, accent in ACCENTS.items():
            formula = re.sub(re.escape(command) + r"\s*\{?(\\[a-zA-Z]+|\w)\}?", rf"\1{accent}", formula)
        formula = re.sub(r"\\[a-zA-Z]+", lambda name: SIGNS.get(name[0], f" {name[0][1:]} "), formula)
        return re.sub(r"\\[^a-zA-Z]|[{}&]", "", formula)

    text = re.sub(r"\$\$(.+?)\$\$|\$((?:\\.|[^$\\])+?)\$", letters, text, flags=re.S)
    return unicodedata.normalize("NFC", " ".join(text.split()))
