"""Exported pages: the notebooks as HTML that needs no kernel and no network.

`site` runs the notebooks and writes the pages and their index, `page` makes the HTML of one notebook, `models` says
which widgets' data go into it, `formulas` brings KaTeX. In the browser `page.js` shows the widgets, `formulas.js` the
formulas.
"""

from .page import Page, page_of
from .site import course, export

__all__ = ["Page", "course", "export", "page_of"]
