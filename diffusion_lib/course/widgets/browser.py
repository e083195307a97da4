"""What a widget gives to the browser besides its data: JavaScript and style, each joined from files into one."""

import re
from functools import lru_cache
from pathlib import Path

from .. import tokens

HERE = Path(__file__).parent


@lru_cache
def source(script: str | Path) -> str:
    """The JavaScript of one file as one module: what it imports stands in it, and nothing but its default is exported.

    script: a file, or the name of one in this folder. `shared`, which comes with the tokens that it reads, is not
    repeated in the files that import it: it is to stand once before them.
    """
    path = script if isinstance(script, Path) else HERE / f"{script}.js"
    text = path.read_text(encoding="utf-8")
    text = re.sub(
        r'^import [^;]+ from "\./(\w+)\.js";\n',
        lambda name: "" if name[1] in ("shared", "tokens") else source(name[1]),
        text,
        flags=re.M,
    )
    text = re.sub(r"^export (?!default)", "", text, flags=re.M)
    return tokens.javascript() + text if script == "shared" else text


# A browser keeps every module that it ever loaded, and each widget loads its own: so that is this small one, and the
# code proper, which comes with the widget, is loaded once for all that have the same.
STUB = """
const load = (model) => {
  const code = model.get("_code"), loaded = (globalThis.diffusionLib ??= new Map());
  if (!loaded.has(code)) loaded.set(code, import(URL.createObjectURL(new Blob([code], { type: "text/javascript" }))));
  return loaded.get(code);
};
export default {
  async initialize({ model }) { return (await load(model)).default.initialize({ model }); },
  async render({ model, el }) { return (await load(model)).default.render({ model, el }); },
};
"""

# JupyterLab, VS Code and this package's exported pages say when a page is dark.
DARK_PAGES = ('[data-jp-theme-light="false"]', '[data-vscode-theme-kind="vscode-dark"]')


def style() -> str:
    """The one style sheet of all widgets: the tokens as variables, then the rules of each `.css` file here."""
    return (
        f".dl-widget {{ {tokens.variables()} }}\n"
        f"{', '.join(f'{page} .dl-widget' for page in DARK_PAGES)} {{ {tokens.variables(dark=True)} }}\n"
        + "".join((HERE / f"{name}.css").read_text(encoding="utf-8") for name in ("shared", "questions"))
    )
