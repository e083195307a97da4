"""Exported pages, as far as they can be read without a browser (tests/browser has the rest)."""

import base64
import hashlib
import io
import re
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup

from diffusion_lib.course import figures
from diffusion_lib.course.pages import course, export, formulas, page_of
from diffusion_lib.course.pages.page import embed_images

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell


def page(*cells, **options):
    """The page of a notebook with these cells, parsed."""
    return BeautifulSoup(page_of(nbformat.v4.new_notebook(cells=list(cells)), "name", **options).html, "html.parser")


def words(text):
    return re.findall(r"\w+", text)


# ---- text and figures ----


def test_a_figures_alt_text_and_width_reach_the_page():
    alt = 'Two lines cross at "0.5" & part.'
    data, metadata = figures.bundle(figures.curves([0, 1], {"up": [0, 1], "down": [1, 0]}), alt)
    picture = data["image/png"]
    data["image/png"] = picture if isinstance(picture, str) else base64.b64encode(picture).decode()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    (image,) = page(code("1", outputs=[output])).find_all("img")
    assert image["alt"] == alt
    assert int(image["width"]) == metadata["image/png"]["width"] > 100


def test_a_link_to_a_section_finds_its_heading():
    """By the name that Jupyter gives a heading; nothing is added that a reader could see or reach with a key."""
    soup = page(markdown("# Part 1\n\n[Go on](#1.2-What-to-remember)"), markdown("## 1.2 What to *remember*\n\nIt."))
    assert soup.find("h2")["id"] == "1.2-What-to-remember" and soup.find("h2").get_text() == "1.2 What to remember"
    assert [a.get_text() for a in soup.find("main").find_all("a")] == ["Go on"]


def test_solutions_are_folded_and_say_what_they_are():
    solution = code(
        "def answer():\n    return 42",
        metadata={"tags": ["solution"], "exercise": "2.1", "jupyter": {"source_hidden": True}},
    )
    hidden = code("setup = 1", metadata={"jupyter": {"source_hidden": True}})
    output = nbformat.v4.new_output("stream", name="stdout", text="printed")
    soup = page(solution, hidden, code("plain = 1", outputs=[output]))
    first, second = soup.find_all("details")
    assert not first.has_attr("open") and not second.has_attr("open")
    assert first.summary.get_text() == "Solution of exercise 2.1" and "return 42" in first.get_text()
    assert second.summary.get_text() == "Code that the notebook hides" and "setup" in second.get_text()
    assert soup.find(string=re.compile("plain")).find_parent("details") is None


def markdown_of(cell):
    """What a cell shows in Markdown: its text, without where links lead, or its outputs, such as predictions' stills."""
    if cell.cell_type == "markdown":
        return [re.sub(r"\]\([^)\s]*\)", "]", cell.source)]
    return ["".join(output.get("data", {}).get("text/markdown", "")) for output in cell.get("outputs", [])]


@pytest.mark.parametrize("path", course(), ids=lambda path: path.stem)
def test_folded_answers_of_the_course_hold_what_they_hold_in_the_notebook(path):
    notebook = nbformat.read(path, as_version=4)
    soup = BeautifulSoup(page_of(notebook, path.stem).html, "html.parser")
    answers = [
        words(BeautifulSoup(match, "html.parser").get_text())
        for cell in notebook.cells
        for text in markdown_of(cell)
        for match in re.findall(r"<details>.*?</details>", re.sub(r"^\d+\. ", "", text, flags=re.M), re.S)
    ]
    solutions = [cell for cell in notebook.cells if "solution" in cell.metadata.get("tags", [])]
    folded = soup.find_all("details")
    assert not any(details.has_attr("open") for details in folded)
    assert [words(details.get_text()) for details in folded if "class" not in details.attrs] == answers
    assert len([details for details in folded if details.get("class") == ["dl-folded"]]) == len(solutions) > 0
    assert len(answers) > 0


def test_pictures_of_the_text_are_inside_and_nothing_else_changes(tmp_path):
    (tmp_path / "a dot.png").write_bytes(DOT)
    source = "<details><summary>Look</summary>\n\n![dot](a%20dot.png) and <kbd>Shift</kbd>\n\n</details>\n\n<img src='gone.png' alt='x'>\n\n`<img src=\"a dot.png\">`"
    soup = page(markdown(source), folder=tmp_path)
    data = "data:image/png;base64," + base64.b64encode(DOT).decode()
    assert [image["src"] for image in soup.find_all("img")] == [data, "gone.png"]
    assert soup.details.img["alt"] == "dot" and soup.details.kbd.get_text() == "Shift"
    assert soup.code.get_text() == '<img src="a dot.png">'


def test_addresses_on_the_network_are_left_alone(tmp_path):
    html = '<img alt="" src="https://example.org/a.png"><img src="//example.org/b.png"><img src="data:image/png;base64,AA==">'
    assert embed_images(html, tmp_path) == html


# ---- formulas ----


def test_katex_is_the_version_that_its_readme_states_unchanged():
    readme = (formulas.KATEX / "README.md").read_text()
    (version,) = set(re.findall(r"katex[@-](\d+\.\d+\.\d+)", readme))
    assert f"# KaTeX {version}" in readme and f'"{version}"' in formulas.script()
    sums = dict(reversed(line.split()) for line in (formulas.KATEX / "SHA256SUMS").read_text().splitlines())
    files = {
        path.relative_to(formulas.KATEX).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in formulas.KATEX.rglob("*")
        if path.is_file() and path.name not in ("README.md", "SHA256SUMS")
    }
    assert files == sums
    assert "MIT License" in (formulas.KATEX / "LICENSE").read_text()


def test_fonts_are_in_pages_with_formulas_only():
    plain = page_of(nbformat.v4.new_notebook(cells=[markdown("It costs 5 $.")]), "plain").html
    formula = page_of(nbformat.v4.new_notebook(cells=[markdown("Here is $x_0$.")]), "formula").html
    assert "KaTeX" not in plain and len(plain) < 30_000
    families = set(re.findall(r'font-family:"?(KaTeX_\w+)"?;[^}]*src:url\(data:font/woff2;base64,', formula))
    assert {"KaTeX_Main", "KaTeX_Math", "KaTeX_Size1", "KaTeX_AMS"} <= families
    assert not families & {"KaTeX_Fraktur", "KaTeX_Caligraphic"} and "url(fonts/" not in formula
    assert "KaTeX_Caligraphic;font-style:normal;font-weight:400;src:url(data:" in formulas.style(r"$\mathcal{N}$")


@pytest.mark.parametrize("text", ["$a$", r"\(a\)", r"\[a\]", "$$a$$", r"\begin{align}a\end{align}"])
def test_each_mark_of_a_formula_brings_katex(text):
    assert formulas.formulas_in(nbformat.v4.new_notebook(cells=[markdown(text)])) == text


# ---- a site ----


def two_notebooks(folder):
    for number, source in ((1, "print('one')"), (2, "import sys; print('noise', file=sys.stderr)")):
        notebook = nbformat.v4.new_notebook(cells=[markdown(f"# Part {number} & more"), code(source)])
        nbformat.write(notebook, folder / f"0{number}_part.ipynb")
    return sorted(folder.glob("*.ipynb"))


def test_a_kernel_that_dies_is_named_with_its_last_words(tmp_path):
    dies = "import os; os.write(2, b'no room left'); os._exit(1)"
    nbformat.write(nbformat.v4.new_notebook(cells=[code("1"), code(dies)]), tmp_path / "dies.ipynb")
    with pytest.raises(RuntimeError, match=r"dies.ipynb: its kernel died in cell 2 .*It said: (.*\n)*.*no room left"):
        export(tmp_path / "site", [tmp_path / "dies.ipynb"], progress=False)
    assert not (tmp_path / "site" / "dies.html").exists()


def test_export_prints_one_line_a_page_and_no_warnings(tmp_path, capfd):
    export(tmp_path / "site", two_notebooks(tmp_path))
    printed, errors = capfd.readouterr()
    first, second = printed.splitlines()
    assert re.fullmatch(r".*01_part\.html  0\.\d MB, \d+ s", first) and "02_part.html" in second
    assert errors == ""
    export(tmp_path / "site", two_notebooks(tmp_path), execute=False, progress=False)
    assert capfd.readouterr() == ("", "")


def test_export_counts_cells_in_a_terminal(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    export(tmp_path / "site", two_notebooks(tmp_path)[:1])
    assert "01_part:" in terminal.getvalue() and "1/1" in terminal.getvalue()


def test_pages_lead_to_their_neighbours_and_the_index_to_all(tmp_path):
    paths = export(tmp_path / "site", two_notebooks(tmp_path), execute=False, progress=False)
    assert [path.name for path in paths] == ["01_part.html", "02_part.html", "index.html"]
    first, second, index = (BeautifulSoup(path.read_text(), "html.parser") for path in paths)
    assert first.find(rel="next")["href"] == "02_part.html" and first.find(rel="prev") is None
    assert second.find(rel="prev").get_text() == "← Part 1 & more" and second.find(rel="next") is None
    assert [(a["href"], a.get_text()) for a in index.find_all("a")] == [
        ("01_part.html", "Part 1 & more"),
        ("02_part.html", "Part 2 & more"),
    ]


def test_a_missing_notebook_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no notebook .*gone\.ipynb: give the paths"):
        export(tmp_path / "site", [*two_notebooks(tmp_path), tmp_path / "gone.ipynb"])
    with pytest.raises(FileNotFoundError, match="no notebooks to export"):
        export(tmp_path / "site", [])
    assert not (tmp_path / "site").exists()


# ---- notebooks as they are committed ----


@pytest.mark.parametrize("path", course(), ids=lambda path: path.stem)
def test_jupyterlab_finds_nothing_to_change(path):
    """What it writes on opening: the kernel's name and language, of which only the version is the machine's own."""
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelspec import get_kernel_dict

    metadata = nbformat.read(path, as_version=4).metadata
    spec = get_kernel_dict()
    assert metadata.kernelspec == {
        "name": "python3",
        "display_name": spec["display_name"],
        "language": spec["language"],
    }
    version = {"version": metadata.language_info.version}
    assert metadata.language_info == IPythonKernel.language_info | version
