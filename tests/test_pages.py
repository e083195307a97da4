"""Exported pages, as far as they can be read without a browser (tests/browser has the rest)."""

import base64

import nbformat
from bs4 import BeautifulSoup

from diffusion_lib.course import figures
from diffusion_lib.course.pages import export


def test_a_figures_alt_text_reaches_the_page(tmp_path):
    alt = 'Two lines cross at "0.5" & part.'
    data, metadata = figures.bundle(figures.curves([0, 1], {"up": [0, 1], "down": [1, 0]}), alt)
    picture = data["image/png"]
    data["image/png"] = picture if isinstance(picture, str) else base64.b64encode(picture).decode()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
    nbformat.write(notebook, tmp_path / "one.ipynb")
    page, *_ = export(tmp_path / "site", [tmp_path / "one.ipynb"], execute=False, progress=False)
    (image,) = BeautifulSoup(page.read_text(), "html.parser").find_all("img")
    assert image["alt"] == alt
