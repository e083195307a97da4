"""One notebook as slides: a rule says what goes on them, a cell's metadata may say otherwise, reveal.js shows them.

The rule. A heading begins a slide, to the right for a section and below it for a part of one. Of prose there is the
opening of each cell, a sentence or two, with its lists, tables and displayed formulas; the rest goes into the speaker's
notes (key S). Each text begins a slide, and so do an exercise with its stub, and a figure or a widget that follows on
code. A prediction comes when one goes on. Code is shown where it is short. Left out are solutions, what is folded, long
derivations, what is in depth and the sources. What a cell's output folds comes unfolded, on a slide of its own.

Metadata. `"slideshow": {"slide_type": …}`, as Jupyter's editors write it, is about a whole cell: `slide` and `subslide`
begin one with it, `fragment` brings it when one goes on, `-` leaves it on the slide before, `skip` and `notes` take it
away.

What does not fit on one slide is spread over several by the page itself (slides.js), which knows how large things are.
`reveal/` holds files of the npm package reveal.js at one version; its README.md says which.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import formulas
from .page import (
    HERE,
    MOST_BYTES,
    Page,
    environment,
    fitting,
    inline,
    json_of,
    page_style,
    rendered,
    scripts,
    theme,
    title,
    widget_style,
)  # fmt: skip

REVEAL = HERE / "reveal"
LEFT_OUT = re.compile(r"in depth|sources|what comes next|how well did you", re.I)  # sections, by their headings
MOST_WORDS = 45  # of an opening paragraph
MOST_LINES = 24  # of code
MOST_FORMULA_LINES = 6  # of a cell with a derivation
TYPES = ("slide", "subslide", "fragment", "skip", "notes", "-")


@dataclass
class Slide:
    """What is shown together: blocks of HTML, each with whether it comes when one goes on; and the speaker's notes."""

    level: int  # 1 or 2: to the right of the one before; 3: below it
    heading: str
    blocks: list[tuple[str, bool]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def slides_page(
    notebook: dict, name: str, *, folder: str | Path = ".", most_bytes: int = MOST_BYTES, back: str = ""
) -> Page:
    """Make the slides of one notebook as one HTML page; see `page_of`. back: the address that closes the slides."""
    cells = rendered(notebook, folder)
    heading, text = title(notebook) or name, formulas.formulas_in(notebook)
    columns = stacked(slides(notebook, cells.body))
    shown = {
        key
        for key in cells.roots
        if any(f'"{key}"' in block for column in columns for slide in column for block, _ in slide.blocks)
    }
    cells = type(cells)(cells.body, {key: words for key, words in cells.roots.items() if key in shown}, cells.saved)

    def page(state: dict) -> str:
        reveal = [(REVEAL / f"{name}.js").read_text(encoding="utf-8") for name in ("reveal", "notes")]
        style = [(REVEAL / "reveal.css").read_text(encoding="utf-8"), page_style("slides")]
        style += [formulas.style(text) if text else "", widget_style() if state else ""]
        return (
            environment()
            .get_template("slides.html.j2")
            .render(
                title=heading,
                style="\n".join(style),
                theme=theme(),
                columns=columns,
                back=back,
                data=json_of(state),
                scripts=[*map(inline, reveal), *scripts(state, bool(text), "slides")],
            )
        )

    html, stills = fitting(page, cells, most_bytes)
    return Page(html, heading, stills, cells.body)


def stacked(shown: list[Slide]) -> list[list[Slide]]:
    """Slides as columns: one column a section, which reveal.js walks to the right, its slides from top to bottom."""
    columns: list[list[Slide]] = []
    for slide in shown:
        if slide.level < 3 or not columns:
            columns.append([])
        columns[-1].append(slide)
    return columns


def slides(notebook: dict, body: str) -> list[Slide]:
    """The slides of a notebook, whose cells are `body` as HTML, by the rule and the metadata."""
    from bs4 import BeautifulSoup

    shown: list[Slide] = [Slide(1, "")]
    left_out = False
    for cell, html in zip(notebook["cells"], body.split("<!--cell-->")[1:], strict=True):
        kind = slide_type(cell)
        soup = BeautifulSoup(html, "html.parser")
        if kind in ("slide", "subslide"):
            shown.append(Slide(2 if kind == "slide" else 3, shown[-1].heading))
        for level, block, spoken in _blocks(cell, soup):
            if level and kind != "notes":
                left_out = bool(LEFT_OUT.search(soup_text(block))) or (left_out and level > 2)
                if kind != "skip" and not left_out:
                    _begin(shown, level, block)
            elif kind == "skip" or left_out:
                continue
            elif spoken or kind == "notes":
                shown[-1].notes.append(block)
            elif block in (TEXT, FIGURE):
                full = shown[-1].blocks if block == TEXT else any(CODE in before for before, _ in shown[-1].blocks)
                if kind in (None, "slide", "subslide") and full:
                    shown.append(Slide(3, shown[-1].heading))
            else:
                shown[-1].blocks.append((block, kind == "fragment"))
    return [slide for slide in shown if slide.blocks or (slide.level < 3 and slide.heading)]


def slide_type(cell: dict) -> str | None:
    """What a cell's metadata says of it, or what the rule does; None: the rule goes block by block."""
    stated = cell["metadata"].get("slideshow", {}).get("slide_type", "")
    if stated in TYPES:
        return stated
    if "solution" in cell["metadata"].get("tags", []) or cell["metadata"].get("jupyter", {}).get("source_hidden"):
        return "skip"
    if cell["cell_type"] == "code":
        if re.match(r"(from \S+ )?import ", cell["source"]) or not cell["source"].strip():
            return "skip"
        return "fragment" if re.search(r"^predict\(", cell["source"], re.M) else None
    if cell["cell_type"] != "markdown":
        return "skip"
    derivation = "".join(re.findall(r"\$\$(.*?)\$\$", cell["source"], re.S))
    return "skip" if derivation.count(r"\\") + cell["source"].count("$$") // 2 > MOST_FORMULA_LINES else None


def types(notebook: dict) -> list[str | None]:
    """What the rule says of each cell as a whole, as metadata would state it; None where it goes block by block."""
    found: list[str | None] = []
    left_out = False
    for cell in notebook["cells"]:
        kind, text = slide_type(cell), cell["source"].lstrip() if cell["cell_type"] == "markdown" else ""
        headings = re.findall(r"^(#{1,6})\s+(.*)$", text, re.M)
        parts = [] if text.startswith("#") else [left_out]  # whether each is left out, what is before a heading first
        for marks, words in headings:
            left_out = bool(LEFT_OUT.search(words)) or (left_out and len(marks) > 2)
            parts.append(left_out)
        if kind == "skip" or (parts and all(parts)):
            found.append("skip")
        elif headings and len(parts) == len(headings) and not parts[0]:
            found.append("slide" if len(headings[0][0]) < 3 else "subslide")
        else:
            found.append(kind)
    return found


TEXT, FIGURE = "<!--text-->", "<!--figure-->"  # what follows; either may begin a slide
CODE = 'class="highlight'


def _begin(shown: list[Slide], level: int, heading: str) -> None:
    """Begin a slide with a heading, on the slide that was just begun if that is still empty."""
    if len(shown) > 1 and not shown[-1].blocks and shown[-1].level == level:
        shown[-1].heading = heading
    else:
        shown.append(Slide(level, heading))


def _blocks(cell: dict, soup: object) -> Iterator[tuple[int, str, bool]]:
    """The blocks of a cell: `(level of a heading or 0, HTML, whether it is only for the notes)`."""
    if cell["cell_type"] == "markdown":
        yield from _markdown(soup)
        return
    pictures = soup.select(".jp-RenderedImage, [data-diffusion-widget]")
    exercise = "exercise" in cell["metadata"].get("tags", [])
    predict = bool(re.search(r"^predict\(", cell["source"], re.M))
    folded = [] if predict or exercise else soup.select(".jp-OutputArea-output details")
    lines = cell["source"].strip().count("\n") + 1
    code = soup.select_one(".highlight")
    if code and not predict and not folded and (exercise or (not pictures and lines <= MOST_LINES)):
        yield 0, str(code), False
    if exercise:  # what it prints is the verdict on a stub
        return
    for output in soup.select(".jp-OutputArea-output"):
        if output in pictures:
            yield 0, FIGURE, False
            yield 0, str(output), False
        elif "jp-RenderedText" in output["class"] and output.get("data-mime-type") == "text/plain":
            yield 0, str(output), False
        elif predict and output.get("data-mime-type") == "text/markdown":  # the question, without its answer
            for answer in output.select("details"):
                answer.decompose()
            yield 0, str(output), False
    for fold in folded:
        fold.summary.name = "p"
        yield 0, TEXT, False
        yield 0, fold.decode_contents(), False


def _markdown(soup: object) -> Iterator[tuple[int, str, bool]]:
    """The blocks of a Markdown cell: of its prose the opening, and what stands out from prose."""
    opened = False
    yield 0, TEXT, False
    for node in soup.select_one(".jp-RenderedMarkdown").find_all(True, recursive=False):
        text = node.get_text()
        if re.fullmatch(r"h[1-6]", node.name):
            yield int(node.name[1]), node.decode_contents(), False
            opened = False
        elif node.name in ("details", "hr"):
            continue
        elif node.name != "p" or "$$" in text or node.find("img"):
            yield 0, str(node), False
        elif re.match(r"\s*Exercise ", text):
            yield 0, TEXT, False
            yield 0, str(node), False
            opened = True
        elif opened:
            yield 0, str(node), True
        else:
            first, rest = opening(node.decode_contents())
            yield 0, f"<p>{first}</p>", False
            if rest:
                yield 0, f"<p>{rest}</p>", True
            opened = True


def opening(html: str) -> tuple[str, str]:
    """The first sentences of a paragraph, as many as have MOST_WORDS words, at least one; and the others."""
    first = 0
    for match in re.finditer(r"[.?!](?:</em>|</strong>)?\)?\s+(?=[A-Z$<(*])", html):
        before = html[: match.end()]
        whole = before.count("$") % 2 == 0 and len(re.findall(r"<\w", before)) == before.count("</")
        if not whole or re.search(r"\b(e\.g|i\.e|al|cf)\.\s+$", before):
            continue
        if first and len(soup_text(before).split()) > MOST_WORDS:
            break
        first = match.end()
    if len(soup_text(html).split()) <= MOST_WORDS or not first:
        return html, ""
    return html[:first].strip(), html[first:].strip()


def soup_text(html: str) -> str:
    """The text of a piece of HTML."""
    return re.sub(r"<[^>]+>", "", html)
