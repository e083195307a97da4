"""One notebook as one HTML page that stands alone: its text and figures, its widgets live, its formulas set.

nbconvert makes the cells' HTML; `page.html.j2` puts style and scripts around it. Widgets go into the page with their
data and their JavaScript: scrubbing, playing and links work. Plain controls are shown as they were set, greyed out,
unless they are only linked. Where JavaScript does not run, or the data would not fit, the page shows the stills.
"""

import base64
import json
import mimetypes
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from .. import tokens
from . import formulas, models

HERE = Path(__file__).parent
MOST_BYTES = 12_000_000
LIGHT_CODE, DARK_CODE = "default", "github-dark"  # Pygments' names of the colours of code


@dataclass(frozen=True)
class Page:
    """A page: its HTML, its title, and what the scrubbers show that had to stay stills, in words."""

    html: str
    title: str
    stills: tuple[str, ...] = ()


def page_of(
    notebook: dict,
    name: str,
    *,
    folder: str | Path = ".",
    neighbours: dict[str, tuple[str, str]] | None = None,
    most_bytes: int = MOST_BYTES,
) -> Page:
    """Make the page of one notebook, of at most `most_bytes`: widgets that do not fit stay stills, the largest first.

    notebook: as nbformat reads it; stays as it is. name: the title of a notebook without a heading. folder: where the
    pictures lie that its text shows. neighbours: `{"previous": (address, title), "next": …}`.
    """
    import nbformat

    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    saved = models.saved_models(notebook)
    notebook.metadata.pop("widgets", None)
    roots = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":  # pages link to pages
            cell.source = re.sub(r"(\]\((?!https?:)[\w./-]+)\.ipynb(#[^)\s]*)?\)", r"\1.html\2)", cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            view = data.pop(models.VIEW, None)
            if view and models.has_still(data) and view.get("model_id") in saved:
                output.metadata["diffusion_widget"] = view["model_id"]
                roots[view["model_id"]] = "".join(data.get("text/plain", ""))

    body, heading, text = _cells(notebook, Path(folder)), title(notebook) or name, formulas.formulas_in(notebook)

    def page(state: dict) -> str:
        return (
            _environment()
            .get_template("page.html.j2")
            .render(
                title=heading,
                style="\n".join([_style(), formulas.style(text) if text else "", _widget_style() if state else ""]),
                body=body,
                neighbours=neighbours or {},
                data=json.dumps(state, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c") if state else "",
                scripts=[_inline(script) for script in _scripts(state, bool(text))],
            )
        )

    state = models.for_page(saved, roots)
    html = page(state)
    if (excess := len(html.encode()) - most_bytes) <= 0:
        return Page(html, heading)
    too_large = _largest(state, excess)
    stills = [key for key in roots if too_large & set(models.for_page(saved, [key]))]
    state = models.for_page(saved, [key for key in roots if key not in stills])
    return Page(page(state), heading, tuple(roots[key] for key in stills))


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


def _cells(notebook: dict, folder: Path) -> str:
    """The HTML of a notebook's cells."""
    from jinja2 import FileSystemLoader, pass_context
    from nbconvert import HTMLExporter

    class CellsExporter(HTMLExporter):
        @pass_context
        def markdown2html(self, context: object, source: str) -> str:
            return embed_images(super().markdown2html(context, source), folder)

    exporter = CellsExporter(
        extra_loaders=[FileSystemLoader(HERE)],
        template_file="cells.html.j2",
        anchor_link_text="",  # headings have an id, as in Jupyter, so that texts can link to a section
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    html, _ = exporter.from_notebook_node(notebook)
    return re.sub(r'<a class="anchor-link"[^>]*></a>', "", html)  # links without a text, one in each heading


@cache
def _environment() -> object:
    from jinja2 import Environment, FileSystemLoader

    return Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)


@cache
def _style() -> str:
    """The style sheet of all pages, with the colours of code for light and for dark."""
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in (LIGHT_CODE, DARK_CODE))
    page = (HERE / "page.css").read_text(encoding="utf-8")
    return f"{tokens.page_style()}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{page}"


def _widget_style() -> str:
    from ..widgets.browser import style

    return style()


def _scripts(state: dict, has_formulas: bool) -> list[str]:
    """The page's JavaScript: KaTeX and what calls it, and each kind of widget once, with what shows them."""
    from ..widgets.base import WIDGETS
    from ..widgets.browser import source

    scripts = []
    if has_formulas:
        scripts += [formulas.script(), (HERE / "formulas.js").read_text(encoding="utf-8")]
    if state:
        parts = [(HERE / "page.js").read_text(encoding="utf-8"), source("shared"), "const widgets = {};"]
        for name in sorted({model["widget"] for model in state.values() if model["widget"]}):
            code = source(WIDGETS[name].script).replace("export default ", "return ")
            parts.append(f"widgets.{name} = (() => {{\n{code}\n}})();")
        parts.append("show(JSON.parse(document.getElementById('diffusion-widgets').textContent), widgets);")
        scripts.append("(() => {\n" + "\n".join(parts) + "\n})();")
    return scripts


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


def _inline(text: str) -> str:
    """Text that may stand in a script element."""
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")
