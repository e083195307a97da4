"""HTML pages that need no kernel and no network: `export` makes one of each notebook, and an index.

nbconvert makes the page; the widgets of this package go into it with their data and their JavaScript, and
`widgets/page.js` shows them: scrubbing, playing and links go on working. Plain controls are shown as they were
set, greyed out, unless they are only linked. Where JavaScript does not run, the page shows the stills.
"""

import html
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
MOST_BYTES = 12_000_000
WIDGETS = Path(__file__).parent / "widgets"

TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}<style>{{ resources.page_style }}</style>{%- endblock -%}
{%- block data_png scoped -%}
{%- if 'diffusion_widget' in output.metadata -%}
<div class="jp-RenderedImage jp-OutputArea-output" data-diffusion-widget="{{ output.metadata.diffusion_widget }}">
<img alt="{{ output.metadata.diffusion_alt | escape_html }}"
 src="data:image/png;base64,{{ output.data['image/png'] | trim }}">
</div>
{%- elif output | get_metadata('alt', 'image/png') -%}
<div class="jp-RenderedImage jp-OutputArea-output">
<img alt="{{ output | get_metadata('alt', 'image/png') | escape_html }}"
 src="data:image/png;base64,{{ output.data['image/png'] | trim }}">
</div>
{%- else -%}{{ super() }}{%- endif -%}
{%- endblock -%}
{%- block body_footer -%}
<nav class="dl-nav"><a href="index.html">All notebooks</a></nav>
{{ super() }}
{{ resources.page_script }}
{%- endblock -%}
"""

PAGE_STYLE = """
.dl-row { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: flex-start; }
.dl-column { display: flex; flex-direction: column; gap: 8px; }
.dl-control { display: inline-flex; gap: 6px; align-items: center; font: 13px/1.6 system-ui, sans-serif; }
.dl-hint { font: italic 12px/1.4 system-ui, sans-serif; margin: 4px; }
.dl-nav { padding: 16px 24px; font: 14px system-ui, sans-serif; }
"""

INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Diffusion models: the course</title>
<style>
body {{ font: 17px/1.6 system-ui, sans-serif; max-width: 42em; margin: 3em auto; padding: 0 1em; color: #212121; }}
a {{ color: #0066a6; }} li {{ margin: .4em 0; }}</style></head>
<body><main><h1>Diffusion models: the course</h1>
<p>Each page scrubs and plays without a kernel and without a network.</p>
<ol start="0">
{items}
</ol></main></body></html>
"""


def stills(notebook: dict) -> dict:
    """Take live views and widget state out of a notebook, and leave the stills: so it is committed.

    notebook: as nbformat reads it; changed in place, and returned. A notebook without views opens without an error
    where no kernel runs.
    """
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(VIEW, None)
    return notebook


def export(
    directory: str | Path,
    notebooks: Sequence[str | Path] | None = None,
    *,
    execute: bool = True,
    timeout: float = 900.0,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Write one HTML page a notebook, and `index.html`, into `directory`; returns their paths.

    notebooks: their paths; without them those of the course. execute: run each in its folder first, in a fresh kernel;
    otherwise scrubbers are live only in notebooks that were saved with their widget state. timeout: seconds a cell.

    Raises FileNotFoundError if there is no notebook, and RuntimeError, which names notebook and cell, if one fails.
    """
    import nbformat

    found = [Path(one) for one in notebooks] if notebooks is not None else course()
    if not found:
        raise FileNotFoundError("no notebooks to export: give their paths")
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    pages, titles = [], []
    for path in found:
        notebook, started = nbformat.read(path, as_version=4), time.monotonic()
        if execute:
            _execute(notebook, path, timeout)
        page = page_of(notebook, path.stem)
        target = directory / f"{path.stem}.html"
        target.write_text(page, encoding="utf-8")
        pages.append(target)
        titles.append(title(notebook) or path.stem)
        say(f"{target}  {len(page.encode()) / 1e6:.1f} MB, {time.monotonic() - started:.0f} s")
    index = directory / "index.html"
    items = "\n".join(
        f'<li><a href="{html.escape(page.name)}">{html.escape(name)}</a></li>'
        for page, name in zip(pages, titles, strict=True)
    )
    index.write_text(INDEX.format(items=items), encoding="utf-8")
    return [*pages, index]


def course() -> list[Path]:
    """The course's notebooks: those of the checkout that the package is in, or of the working directory."""
    for folder in (Path(__file__).resolve().parents[2] / "notebooks", Path("notebooks"), Path()):
        if made := sorted(folder.glob("[0-9][0-9]_*.ipynb")):
            return made
    raise FileNotFoundError("no notebooks like '00_….ipynb' in ./notebooks: run this from the course's folder")


def title(notebook: dict) -> str:
    """The first heading of a notebook, without its marks."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and (match := re.search(r"^#+\s+(.+?)\s*$", cell["source"], re.M)):
            return re.sub(r"[*_`$]", "", match[1])
    return ""


def _execute(notebook: dict, path: Path, timeout: float) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    client = NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(path.parent.resolve())}})
    try:
        client.execute()
    except CellExecutionError as error:
        raise RuntimeError(f"{path}, cell {_failed(notebook)}: {error.ename}: {error.evalue}") from None
    except CellTimeoutError:
        raise RuntimeError(f"{path}: a cell ran for more than timeout={timeout:g} s: allow more") from None


def _failed(notebook: dict) -> int:
    """The number of the first cell whose output is an error, as one counts them on the page."""
    errors = [any(output["output_type"] == "error" for output in cell.get("outputs", [])) for cell in notebook["cells"]]
    return errors.index(True) + 1 if any(errors) else 0


def _reachable(state: dict, roots: list[str]) -> dict:
    """The models that the views on the page need: what they refer to, and the links between these."""
    needed: set[str] = set()
    queue = list(roots)
    while queue:
        one = queue.pop()
        if one in needed or one not in state:
            continue
        needed.add(one)
        for child in state[one]["state"].get("children") or []:
            queue.append(str(child).removeprefix("IPY_MODEL_"))
    links = {}
    for key, entry in state.items():
        if entry["model_name"] in ("LinkModel", "DirectionalLinkModel"):
            ends = [str(entry["state"][end][0]).removeprefix("IPY_MODEL_") for end in ("source", "target")]
            if any(end in needed for end in ends) and all(end in state for end in ends):
                links[key] = entry
                needed.update(ends)  # two that are linked through a third, which is not shown
    return {key: state[key] for key in state if key in needed} | links


def _slim(entry: dict) -> dict:
    """A model's state without what the page carries once, or does not need."""
    from .widgets.base import widget_name

    needless = ("_esm", "_css", "_code", "layout", "style", "_anywidget_id", "_dom_classes", "tooltip", "tabbable")
    state = {
        name: value
        for name, value in entry["state"].items()
        if name not in needless and not name.startswith(("_model_", "_view_"))
    }
    return {
        "model_name": entry["model_name"],
        "widget": widget_name(entry["state"].get("_anywidget_id", "")),
        "state": state,
        "buffers": entry.get("buffers", []),
    }


def _fits(state: dict, room: int) -> set[str]:
    """Models to leave out, the largest first, until what stays fits into `room` bytes of JSON."""
    sizes = {key: len(json.dumps(entry)) for key, entry in state.items()}
    left_out: set[str] = set()
    while sum(size for key, size in sizes.items() if key not in left_out) > room and len(left_out) < len(sizes):
        left_out.add(max((key for key in sizes if key not in left_out), key=sizes.get))
    return left_out


def page_of(notebook: dict, name: str, *, most_bytes: int = MOST_BYTES) -> str:
    """One notebook as one HTML page of at most `most_bytes`, its scrubbers live; those that do not fit stay stills."""
    import nbformat
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    notebook.metadata["title"] = title(notebook) or name
    state = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    roots = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":  # pages link to pages
            cell.source = re.sub(r"(\]\((?!https?:)[\w./-]+)\.ipynb(#[^)\s]*)?\)", r"\1.html\2)", cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            view = data.pop(VIEW, None)
            if view and "image/png" in data and view["model_id"] in state:
                output.metadata["diffusion_widget"] = view["model_id"]
                output.metadata["diffusion_alt"] = str(data.get("text/plain", ""))
                roots[view["model_id"]] = output
    needed = {key: _slim(entry) for key, entry in _reachable(state, list(roots)).items()}
    bare = _render(notebook, name, {}, HTMLExporter, DictLoader)
    left_out = _fits(needed, most_bytes - len(bare.encode()) - 100_000)
    if not left_out:
        return _render(notebook, name, needed, HTMLExporter, DictLoader)
    for key, output in roots.items():
        if left_out & set(_reachable(state, [key])):
            del output.metadata["diffusion_widget"]
            print(
                f"{name}: a scrubber is shown as a still: the page would exceed {most_bytes / 1e6:.0f} MB "
                f"({output.metadata['diffusion_alt'][:60]})",
                file=sys.stderr,
            )
    kept = _reachable(state, [key for key, output in roots.items() if "diffusion_widget" in output.metadata])
    return _render(
        notebook,
        name,
        {key: _slim(entry) for key, entry in kept.items() if key not in left_out},
        HTMLExporter,
        DictLoader,
    )


def _render(notebook: dict, name: str, state: dict, exporter: type, loader: type) -> str:
    script = "" if not state else _script(state)
    formulas = (
        _formulas()
        if any("$" in cell.source or "\\" in cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        else ""
    )
    page_js = f"<script>\n{_inline((WIDGETS / 'page.js').read_text(encoding='utf-8'))}\n</script>\n"
    notebook = notebook.copy()
    notebook["metadata"] = {key: value for key, value in notebook["metadata"].items() if key != "widgets"}
    maker = exporter(
        extra_loaders=[loader({"page.html.j2": TEMPLATE})],
        template_file="page.html.j2",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        embed_images=True,
    )
    resources = {"page_style": PAGE_STYLE, "page_script": page_js + script + formulas, "metadata": {"name": name}}
    body, _ = maker.from_notebook_node(notebook, resources=resources)
    return body


def _inline(text: str) -> str:
    """Text that may stand in a script element."""
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


def _script(state: dict) -> str:
    """The widgets' JavaScript, once each, the saved models, and the call that shows them."""
    from .widgets.base import WIDGETS
    from .widgets.browser import source, style

    used = {entry["widget"] for entry in state.values() if entry["widget"]}
    parts = [source("shared"), "const widgets = {};"]
    for name in sorted(used):
        script = source(WIDGETS[name].script).replace("export default ", "return ")
        parts.append(f"widgets.{name} = (() => {{\n{script}\n}})();")
    parts.append("show(JSON.parse(document.getElementById('diffusion-widgets').textContent), widgets);")
    data = json.dumps(state, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    body = _inline("\n".join(parts))
    return (
        f'<style>{style()}</style>\n<script type="application/json" id="diffusion-widgets">{data}</script>\n'
        f"<script>(() => {{\n{body}\n}})();</script>\n"
    )


def _formulas() -> str:
    """KaTeX, as JupyterLab carries it, and the call that draws the page's formulas; a note if it is not there."""
    import jupyterlab

    for path in sorted((Path(jupyterlab.__file__).parent / "static").glob("*.js")):
        text = path.read_text(encoding="utf-8", errors="ignore")
        if "KaTeX parse error" in text and (match := re.match(r'"use strict";\(?self\.(\w+)=|\(?self\.(\w+)=', text)):
            name = match[1] or match[2]
            loader = (
                "(() => { const found = {}, made = {};\n"
                f"self.{name} = {{ push: (chunk) => Object.assign(found, chunk[1]) }};\n{_inline(text)}\n"
                "const load = (id) => { if (made[id]) return made[id].exports;\n"
                "  const m = (made[id] = { exports: {} });\n"
                "  found[id](m, m.exports, load); return m.exports; };\n"
                "load.r = () => {}; load.o = (o, k) => Object.hasOwn(o, k);\n"
                "load.d = (to, from) => { for (const k in from)\n"
                "  Object.defineProperty(to, k, { enumerable: true, get: from[k] }); };\n"
                "load.n = (m) => { const get = m && m.__esModule ? () => m.default : () => m;\n"
                "  load.d(get, { a: get }); return get; };\n"
                "for (const id in found) { const m = load(id), katex = m.default || m;\n"
                "  if (katex && katex.render) { typeset(katex); break; } }\n})();"
            )
            return f"<script>\n{loader}\n</script>\n"
    print("formulas stay LaTeX source: this JupyterLab carries no KaTeX", file=sys.stderr)
    return ""
