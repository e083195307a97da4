"""Formulas offline: KaTeX's script, and its style sheet with the fonts inside, for pages that have formulas.

`katex/` holds files of the npm package at one version; its README.md says which, and how the folder is rebuilt.
"""

import base64
import re
from pathlib import Path

KATEX = Path(__file__).parent / "katex"
FORMULA = re.compile(r"\$[^$]+\$|\\\(|\\\[|\\begin\{")
# Families that only these commands ask for; all others go into every page with formulas.
RARE_FONTS = {
    "Caligraphic": r"\\(mathcal|cal)\b",
    "Fraktur": r"\\(mathfrak|frak|textfrak)\b",
    "SansSerif": r"\\(mathsf\w*|textsf|sf)\b",
    "Script": r"\\mathscr\b",
    "Typewriter": r"\\(mathtt|texttt|tt|verb|url|href)\b",
}


def formulas_in(notebook: dict) -> str:
    """All text of a notebook that has formulas: of Markdown cells, and of outputs in Markdown or LaTeX."""
    texts = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            texts.append(cell["source"])
        for output in cell.get("outputs", []):
            texts += ["".join(output.get("data", {}).get(kind, "")) for kind in ("text/markdown", "text/latex")]
    return "\n".join(text for text in texts if FORMULA.search(text))


def script() -> str:
    """KaTeX's JavaScript, which defines `katex`."""
    return (KATEX / "katex.min.js").read_text(encoding="utf-8")


def style(formulas: str) -> str:
    """KaTeX's style sheet for these formulas, with each font that they may need inside as a data URI."""
    unused = [family for family, commands in RARE_FONTS.items() if not re.search(commands, formulas)]

    def embedded(rule: re.Match) -> str:
        font = re.search(r"url\(fonts/(KaTeX_(\w+)-\w+\.woff2)\)", rule[0])
        if font[2] in unused:
            return ""
        data = base64.b64encode((KATEX / "fonts" / font[1]).read_bytes()).decode()
        return re.sub(r"src:[^}]+", f'src:url(data:font/woff2;base64,{data}) format("woff2")', rule[0])

    css = (KATEX / "katex.min.css").read_text(encoding="utf-8")
    return re.sub(r"@font-face\{[^}]+\}", embedded, css)
