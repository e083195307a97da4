"""Exported pages: the notebooks as HTML that needs no kernel and no network.

`site` runs the notebooks and writes the pages and their index, `page` makes the HTML of one notebook to read, `slides`
to show; `search` makes the index of all text, `models` says which widgets' data go into a page, `formulas` brings
KaTeX. In the browser `page.js` shows the widgets and `formulas.js` the formulas; `theme.js` and `shell.js` are what
stands around a page. `gallery` makes such a page of a model's samples; it is not loaded here, because it needs torch,
and the server that saves notebooks does not.
"""

from .page import Page, page_of
from .site import FORMS, course, export
from .slides import slides_page

__all__ = ["FORMS", "Page", "course", "export", "page_of", "slides_page"]
