"""One notebook as one HTML page that stands alone: its text and figures, its widgets live, its formulas set.

nbconvert makes the cells' HTML; `page.html.j2` puts style and scripts around it. Widgets go into the page with their
data and their JavaScript: scrubbing, playing and links work. Plain controls are shown as they were set, greyed out,
unless they are only linked. Where JavaScript does not run, or the data would not fit, the page shows the stills.
"""

import base64
import io
import json
import mimetypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote

from .. import tokens
from . import formulas, models

HERE = Path(__file__).parent
MOST_BYTES = 2_000_000
COURSE = "Diffusion models, run and checked"
LIGHT_CODE, DARK_CODE = "default", "github-dark"  # Pygments' names of the colours of code
DARK_TERMINAL = "--red: #ff8a80; --green: #35cfa3; --yellow: #e6d25a; --blue: #62bdf0;"  # of what code prints


@dataclass(frozen=True)
class Section:
    """A heading of a page: its place, what it says in HTML (formulas as LaTeX), and 2 or 3, how deep it lies."""

    anchor: str
    html: str
    level: int


@dataclass(frozen=True)
class Page:
    """A page: its HTML, its title, and what the scrubbers show that had to stay stills, in words.

    body: the HTML of the cells alone, before widgets and formulas are set.
    """

    html: str
    title: str
    stills: tuple[str, ...] = ()
    body: str = ""


def page_of(
    notebook: dict,
    name: str,
    *,
    folder: str | Path = ".",
    entries: Sequence[tuple[str, str]] = (),
    here: int | None = None,
    most_bytes: int = MOST_BYTES,
    alone: bool = False,
) -> Page:
    """Make the page of one notebook, of at most `most_bytes`: widgets that do not fit stay stills, the largest first.

    notebook: as nbformat reads it; stays as it is. name: the title of a notebook without a heading. folder: where the
    pictures lie that its text shows. entries: `(file, title)` of each page of the site, if it is one of a site, and
    here: which of them it is. alone: a page that shows outputs only, without code.
    """
    cells = rendered(notebook, folder, code=not alone)
    heading, text = title(notebook) or name, formulas.formulas_in(notebook)

    def page(state: dict) -> str:
        return (
            environment()
            .get_template("page.html.j2")
            .render(
                title=heading,
                course=COURSE,
                style="\n".join([page_style(), formulas.style(text) if text else "", widget_style() if state else ""]),
                theme=theme(),
                body=cells.body,
                sections=sections(cells.body),
                entries=entries,
                searched=bool(entries),
                here=here,
                data=json_of(state),
                scripts=scripts(state, bool(text), "shell"),
            )
        )

    html, stills = fitting(page, cells, most_bytes)
    return Page(html, heading, stills, cells.body)


def index_of(entries: Sequence[tuple[str, str]], summaries: Sequence[str], note: str, *, searched: bool = True) -> str:
    """The HTML of the page that leads to all others.

    summaries: of each, a list as HTML, or nothing. note: what stands above. searched: whether `search.js` is beside it.
    """
    text = "\n".join(part for part in summaries if formulas.FORMULA.search(part))
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            title=COURSE,
            course=COURSE,
            style="\n".join([page_style(), formulas.style(text) if text else ""]),
            theme=theme(),
            entries=entries,
            searched=searched,
            note=note,
            summaries=summaries,
            scripts=scripts({}, bool(text), "shell"),
        )
    )


@dataclass(frozen=True)
class Cells:
    """The cells of a notebook as HTML; the widgets that they show, in words by id; all models saved with them."""

    body: str
    roots: dict[str, str]
    saved: dict[str, dict]


def rendered(notebook: dict, folder: str | Path, *, code: bool = True) -> Cells:
    """The HTML of a notebook's cells, with code or without; each output with a widget that can live says so."""
    import nbformat

    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    saved = models.saved_models(notebook)
    notebook.metadata.pop("widgets", None)
    roots = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":  # pages link to pages
            cell.source = re.sub(r"(\]\((?!https?:)[\w./-]+)\.ipynb(#[^)\s]*)?\)", r"\1.html\2)", cell.source)
            # and not to texts that stay where the notebooks are
            cell.source = re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:)[\w./-]+\.md(#[^)\s]*)?\)", r"\1", cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            view = data.pop(models.VIEW, None)
            if view and models.has_still(data) and view.get("model_id") in saved:
                output.metadata["diffusion_widget"] = view["model_id"]
                roots[view["model_id"]] = "".join(data.get("text/plain", ""))
    return Cells(_cells(notebook, Path(folder), code=code), roots, saved)


def fitting(page: Callable[[dict], str], cells: Cells, most_bytes: int) -> tuple[str, tuple[str, ...]]:
    """`page` with as many widgets as fit into `most_bytes`, and what the others show, in words."""
    state = models.for_page(cells.saved, cells.roots)
    html = page(state)
    if (excess := len(html.encode()) - most_bytes) <= 0:
        return html, ()
    too_large = _largest(state, excess)
    stills = [key for key in cells.roots if too_large & set(models.for_page(cells.saved, [key]))]
    state = models.for_page(cells.saved, [key for key in cells.roots if key not in stills])
    return page(state), tuple(cells.roots[key] for key in stills)


def sections(body: str) -> list[Section]:
    """The headings of a page's HTML below its title, those of the second and the third level."""
    found = re.finditer(r'<h([23])[^>]*\sid="([^"]+)"[^>]*>(.*?)</h\1>', body, re.S)
    return [Section(unescape(match[2]), re.sub(r"</?a\b[^>]*>", "", match[3]), int(match[1])) for match in found]


def summary(body: str) -> str:
    """What a notebook's first cell lists, as HTML: what one can do after it; empty where it lists nothing."""
    match = re.search(r"<ul>.*?</ul>", body.split("<h2", 1)[0], re.S)
    return match[0] if match else ""


def title(notebook: dict) -> str:
    """The first heading of a notebook, without its marks."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and (match := re.search(r"^#+\s+(.+?)\s*$", cell["source"], re.M)):
            return re.sub(r"[*_`$]", "", match[1])
    return ""


def embed_images(html: str, folder: Path) -> str:
    """HTML with the pictures of `folder` inside, as data URIs; every other character stays as it is.

    Pictures that are not there, and those on the network, keep their address.
    """

    def embedded(match: re.Match) -> str:
        address = match[3]
        if re.match(r"[a-z][a-z0-9+.-]*:|//", address, re.I) or not (path := folder / unquote(address)).is_file():
            return match[0]
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return f"{match[1]}{match[2]}data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}{match[2]}"

    return re.sub(r"""(<img\b[^>]*?\ssrc=)(["'])(.*?)\2""", embedded, html, flags=re.I | re.S)


def lighter(png: str) -> str:
    """A PNG in base64 as a data URI: the same pixels as WebP without loss where that is smaller, mostly by a third."""
    from PIL import Image

    data = base64.b64decode(png)
    try:
        Image.open(io.BytesIO(data)).save(packed := io.BytesIO(), "webp", lossless=True, quality=60, method=4)
    except (OSError, ValueError):  # not a picture that is known, or one that is larger than WebP can be
        packed = io.BytesIO()
    kind, best = ("webp", packed.getvalue()) if 0 < len(packed.getvalue()) < len(data) else ("png", data)
    return f"data:image/{kind};base64,{base64.b64encode(best).decode()}"


def _cells(notebook: dict, folder: Path, *, code: bool) -> str:
    """The HTML of a notebook's cells, with their code or without."""
    from jinja2 import FileSystemLoader, pass_context
    from nbconvert import HTMLExporter

    class CellsExporter(HTMLExporter):
        @pass_context
        def markdown2html(self, context: object, source: str) -> str:
            return embed_images(super().markdown2html(context, source), folder)

    exporter = CellsExporter(
        filters={"lighter": lighter},
        extra_loaders=[FileSystemLoader(HERE)],
        template_file="cells.html.j2",
        anchor_link_text="",  # headings have an id, as in Jupyter, so that texts can link to a section
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    html, _ = exporter.from_notebook_node(notebook)
    html = re.sub(r'<a class="anchor-link"[^>]*></a>', "", html)  # links without a text, one in each heading
    return re.sub(r"<th\b([^>]*)>\s*</th>", r"<td\1></td>", html)  # what is empty heads nothing


@cache
def environment() -> object:
    from jinja2 import Environment, FileSystemLoader

    return Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)


@cache
def page_style(sheet: str = "page") -> str:
    """The style sheet of all pages, or of all slides, with the colours of code for light and for dark."""
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=name) for name in (LIGHT_CODE, DARK_CODE))
    colours = light.get_style_defs(".highlight") + tokens.when_dark(
        lambda page: f"{dark.get_style_defs(f'{page} .highlight')}\n{page} {{ {DARK_TERMINAL} }}"
    )
    return f"{tokens.page_style()}\n{colours}\n" + (HERE / f"{sheet}.css").read_text(encoding="utf-8")


def theme() -> str:
    """The script that makes a page light or dark; it stands before all that is painted."""
    return inline((HERE / "theme.js").read_text(encoding="utf-8"))


def json_of(state: dict) -> str:
    """What the widgets of a page need, as text that may stand in a script element; empty without widgets."""
    return json.dumps(state, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c") if state else ""


def widget_style() -> str:
    from ..widgets.browser import style

    return style()


def scripts(state: dict, has_formulas: bool, *last: str) -> list[str]:
    """The page's JavaScript: KaTeX and what calls it, each kind of widget once, what shows them; the `last` files."""
    from ..widgets.base import WIDGETS
    from ..widgets.browser import source

    found = []
    if has_formulas:
        found += [formulas.script(), (HERE / "formulas.js").read_text(encoding="utf-8")]
    if state:
        parts = [(HERE / "page.js").read_text(encoding="utf-8"), source("shared"), "const widgets = {};"]
        for name in sorted({model["widget"] for model in state.values() if model["widget"]}):
            code = source(WIDGETS[name].script).replace("export default ", "return ")
            parts.append(f"widgets.{name} = (() => {{\n{code}\n}})();")
        parts.append("show(JSON.parse(document.getElementById('diffusion-widgets').textContent), widgets);")
        found.append("(() => {\n" + "\n".join(parts) + "\n})();")
    found += [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in last]
    return [inline(script) for script in found]


def _largest(state: dict, excess: int) -> set[str]:
    """The fewest models, the largest first, that take up at least `excess` bytes of JSON."""
    sizes = {key: len(json.dumps(model)) for key, model in state.items()}
    largest: set[str] = set()
    for key in sorted(sizes, key=sizes.get, reverse=True):
        if excess <= 0:
            break
        largest.add(key)
        excess -= sizes[key]
    return largest


def inline(text: str) -> str:
    """JavaScript for a script element: what would end that or hide the rest is written otherwise in its strings."""
    return re.sub(r"</(?=script)", r"<\\/", text, flags=re.I).replace("<!--", "<\\x21--")
