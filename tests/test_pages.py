"""Exported pages, as far as they can be read without a browser (tests/browser has the rest)."""

import base64
import hashlib
import io
import json
import re
import sys

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from PIL import Image

from diffusion_lib.cli import main
from diffusion_lib.course import figures
from diffusion_lib.course.pages import course, export, formulas, page_of, search, slides
from diffusion_lib.course.pages.page import embed_images, lighter, rendered

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


def test_a_picture_keeps_each_pixel_and_gets_lighter():
    ramp = np.add.outer(np.arange(90), np.arange(120))[..., None] % [256, 199, 131]
    Image.fromarray(ramp.astype("uint8")).save(png := io.BytesIO(), "png")
    kind, data = re.fullmatch(
        r"data:image/(\w+);base64,(.*)", lighter(base64.b64encode(png.getvalue()).decode())
    ).groups()
    assert kind == "webp" and len(base64.b64decode(data)) < len(png.getvalue())
    assert np.array_equal(np.array(Image.open(io.BytesIO(base64.b64decode(data)))), ramp)
    assert lighter("bm90IGEgcGljdHVyZQ==") == "data:image/png;base64,bm90IGEgcGljdHVyZQ=="


def test_a_link_to_a_section_finds_its_heading():
    """By the name that Jupyter gives a heading; nothing is added that a reader could see or reach with a key."""
    soup = page(markdown("# Part 1\n\n[Go on](#1.2-What-to-remember)"), markdown("## 1.2 What to *remember*\n\nIt."))
    assert soup.find("h2")["id"] == "1.2-What-to-remember" and soup.find("h2").get_text() == "1.2 What to remember"
    assert [a.get_text() for a in soup.find("main").find_all("a")] == ["Go on"]


def test_an_empty_corner_of_a_table_is_no_heading():
    soup = page(markdown("|  | a |\n| --- | --- |\n| b | 1 |"))
    assert [th.get_text() for th in soup.find_all("th")] == ["a"] and len(soup.thead.find_all("td")) == 1


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
    """What a cell shows as Markdown or HTML: its text, without where links lead, or its outputs, such as predictions' stills."""
    if cell.cell_type == "markdown":
        return [re.sub(r"\]\([^)\s]*\)", "]", cell.source)]
    shown = [output.get("data", {}) for output in cell.get("outputs", [])]
    return ["".join(data.get("text/markdown") or data.get("text/html", "")) for data in shown]


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


@pytest.mark.parametrize(
    "folder, name, package, script, quote",
    [
        (formulas.KATEX, "KaTeX", "katex", "katex.min.js", '"'),
        (slides.REVEAL, "reveal.js", "reveal.js", "reveal.js", "`"),
    ],
    ids=["katex", "reveal"],
)
def test_what_is_bundled_is_the_version_that_its_readme_states_unchanged(folder, name, package, script, quote):
    readme = (folder / "README.md").read_text()
    (version,) = set(re.findall(rf"{re.escape(package)}[@-](\d+\.\d+\.\d+)", readme))
    assert f"# {name} {version}" in readme and f"{quote}{version}{quote}" in (folder / script).read_text()
    sums = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("README.md", "SHA256SUMS")
    }
    assert files == sums
    assert "Permission is hereby granted, free of charge" in (folder / "LICENSE").read_text()


def test_fonts_are_in_pages_with_formulas_only():
    plain = page_of(nbformat.v4.new_notebook(cells=[markdown("It costs 5 $.")]), "plain").html
    formula = page_of(nbformat.v4.new_notebook(cells=[markdown("Here is $x_0$.")]), "formula").html
    assert "KaTeX" not in plain and len(plain) < 50_000
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
    with pytest.raises(
        ChildProcessError, match=r"dies.ipynb: its kernel died in cell 2 .*It said: (.*\n)*.*no room left"
    ):
        export(tmp_path / "site", [tmp_path / "dies.ipynb"], progress=False)
    assert not (tmp_path / "site" / "dies.html").exists()


def test_a_kernel_that_does_not_start_is_said(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("Kernel didn't respond in 300 seconds")  # nbclient's words

    monkeypatch.setattr(NotebookClient, "execute", refuse)
    with pytest.raises(ChildProcessError, match=r"01_part.ipynb: its kernel did not start .*in 300 seconds"):
        export(tmp_path / "site", two_notebooks(tmp_path)[:1], progress=False)


def test_a_cell_that_fails_is_one_line_of_the_command(tmp_path, capsys):
    nbformat.write(nbformat.v4.new_notebook(cells=[code("1 / 0")]), tmp_path / "fails.ipynb")
    assert main(["export", "site", str(tmp_path / "fails.ipynb"), "--out", str(tmp_path / "site")]) == 2
    line = f"diffusion_lib export: {tmp_path / 'fails.ipynb'}, cell 1: ZeroDivisionError: division by zero\n"
    assert capsys.readouterr().err == line


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
    assert [path.name for path in paths] == ["01_part.html", "02_part.html", "index.html", "search.js"]
    first, second, index = (BeautifulSoup(path.read_text(), "html.parser") for path in paths[:3])
    assert first.find(rel="next")["href"] == "02_part.html" and first.find(rel="prev") is None
    assert second.find(rel="prev").get_text() == "← Part 1 & more" and second.find(rel="next") is None
    listed = [("01_part.html", "Part 1 & more"), ("02_part.html", "Part 2 & more")]
    for place in (index.main, index.find(id="dl-contents"), first.find(id="dl-contents")):
        assert [(a["href"], a.get_text()) for a in place.find_all("a")] == listed
    assert first.find(id="dl-contents").find(attrs={"aria-current": "page"})["href"] == "01_part.html"


def test_the_contents_name_each_section_of_their_page_and_lead_to_it():
    soup = page(markdown("# A page\n\n## One $x_0$\n\n### Deeper\n\n#### Too deep"), markdown("## 2. *Two* & `more`"))
    links = soup.find(id="dl-contents").ol.ol.find_all("a")
    assert [a.get_text() for a in links] == ["One $x_0$", "Deeper", "2. Two & more"]
    assert [soup.find(id=a["href"][1:]).name for a in links] == ["h2", "h3", "h2"]
    assert not any(a.find("a") for a in links)


def test_the_index_says_what_each_notebook_is_good_for(tmp_path):
    head = "# Part\n\n**After this notebook you can**\n- draw $x_0$;\n- *look*.\n\n## More\n\n- not this"
    nbformat.write(nbformat.v4.new_notebook(cells=[markdown(head)]), tmp_path / "a.ipynb")
    *_, index, _ = export(tmp_path / "site", [tmp_path / "a.ipynb"], execute=False, progress=False)
    soup = BeautifulSoup(index.read_text(), "html.parser")
    assert [li.get_text() for li in soup.main.ul.find_all("li")] == ["draw $x_0$;", "look."]
    assert "katex.render" in index.read_text()


# ---- search ----


def index_of(path):
    """What the index hands to a page."""
    return json.loads(re.fullmatch(r"diffusionSearch\((.*)\);\n", path.read_text(), re.S)[1])


def test_links_lead_to_pages_or_nowhere():
    text = "[01](01_a.ipynb#A), [card](../assets/README.md#emoji), [site](https://a.org/b.md), `f[i](x.md)`"
    cell = page(markdown(text)).find("p")
    assert [a["href"] for a in cell.find_all("a")] == ["01_a.html#A", "https://a.org/b.md"]
    assert "card" in cell.get_text() and "README" not in cell.get_text()


def test_the_index_holds_each_section_but_no_answer(tmp_path):
    cells = [
        markdown(
            "# Part\n\nOpening words.\n\n## 1.1 A *first*\n\nOf $\\bar\\alpha_t$.\n\n<details><summary>Answer</summary>\n\nsecret\n\n</details>"
        ),
        code("visible = 1", outputs=[nbformat.v4.new_output("stream", name="stdout", text="printed")]),
        code("hidden = 1", metadata={"tags": ["solution"], "exercise": "1.1"}),
        markdown("<details><summary>All symbols</summary>\n\nlisted\n\n</details>"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    *_, index = export(tmp_path / "site", [tmp_path / "a.ipynb"], execute=False, progress=False)
    data = index_of(index)
    assert data["pages"] == [["a.html", "Part"]]
    assert [entry[:3] for entry in data["sections"]] == [[0, "Part", "Part"], [0, "1.1-A-first", "1.1 A first"]]
    assert data["sections"][0][3] == "Opening words."
    assert data["sections"][1][3] == "Of ᾱ_t. visible = 1 printed All symbols listed"


@pytest.mark.parametrize(
    "latex, letters",
    [
        (r"$\frac{a}{b}$", "a/b"),
        (r"$$\begin{aligned}a&=b\\c&\le d\end{aligned}$$", "a=b c≤ d"),
        (r"$\sqrt{1-\beta_i}\;x_{i-1}$", "√1-β_ix_i-1"),
        (r"$\mathrm{KL}(q\,\Vert\,p)$", "KL(q‖p)"),
        (r"$\hat x_0$ costs 5 \$", "x̂_0 costs 5 \\$"),
    ],
)
def test_formulas_are_searched_as_letters(latex, letters):
    assert search.plain(latex) == letters


def test_a_missing_notebook_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no notebook .*gone\.ipynb: give the paths"):
        export(tmp_path / "site", [*two_notebooks(tmp_path), tmp_path / "gone.ipynb"])
    with pytest.raises(FileNotFoundError, match="no notebooks to export"):
        export(tmp_path / "site", [])
    assert not (tmp_path / "site").exists()


# ---- slides ----


def shown(*cells, **metadata):
    """The slides of a notebook with these cells: each slide's level, heading, words on it, and words of its notes."""
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    text = lambda parts: " ".join(BeautifulSoup("\n".join(parts), "html.parser").get_text().split())  # noqa: E731
    return [
        (slide.level, slide.heading, text(block for block, _ in slide.blocks), text(slide.notes))
        for slide in slides.slides(notebook, rendered(notebook, ".").body)
    ]


def figure():
    dot = base64.b64encode(DOT).decode()
    return nbformat.v4.new_output("display_data", {"image/png": dot, "text/plain": "figure"})


def printed(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def test_the_rule_of_the_slides():
    assert shown(
        markdown("# Title\n\nHello."),
        code("import torch"),
        markdown(
            "## One\n\nShort. Words.\n\nMore prose.\n\n- a list\n\n<details><summary>Answer</summary>\n\nsecret\n\n</details>"
        ),
        code("1 + 1", outputs=[printed("2")]),
        markdown("Next.\n\n**Exercise 1.1 (★).** Write it."),
        code("def f(): ...\ncheck('1.1', f)", metadata={"tags": ["exercise"]}, outputs=[printed("not yet")]),
        code("def f(): return 1", metadata={"tags": ["solution"]}),
        markdown("### Deeper\n\n$$a$$"),
        markdown("## In depth\n\n### A\n\nStatistics."),
        code("statistics"),
        markdown("## What to remember\n\nThis.\n\n## Sources\n\nPapers."),
    ) == [
        (1, "Title", "Hello.", ""),
        (2, "One", "Short. Words. a list 1 + 1 2", "More prose."),
        (3, "One", "Next.", ""),
        (3, "One", "Exercise 1.1 (★). Write it. def f(): ... check('1.1', f)", ""),
        (3, "Deeper", "$$a$$", ""),
        (2, "What to remember", "This.", ""),
    ]


def test_a_figure_joins_a_text_but_not_code():
    notebook = nbformat.v4.new_notebook(
        cells=[
            markdown("# Title\n\n## One\n\nLook:"),
            code("draw()", outputs=[figure()]),
            code("1", outputs=[printed("1")]),
            code("draw()", outputs=[figure()]),
        ]
    )
    made = slides.slides(notebook, rendered(notebook, ".").body)
    assert [["<img" in block for block, _ in slide.blocks] for slide in made[1:]] == [
        [False, True, False, False],
        [True],
    ]
    assert not any("draw()" in block for slide in made for block, _ in slide.blocks)


def test_what_an_output_folds_comes_unfolded_and_a_question_without_its_answer():
    fold = "<details><summary>The line</summary> <pre>x = 1</pre></details>"
    question = "**Prediction 1.1.** Why?\n\n- a\n- b\n\n<details><summary>Answer</summary>\n\nsecret\n\n</details>"
    of = nbformat.v4.new_output
    assert shown(
        markdown("# Title\n\nLook."),
        code("predict('1.1')", outputs=[of("execute_result", {"text/markdown": question, "text/plain": "Prediction"})]),
        code("reveal(1)", outputs=[of("display_data", {"text/html": fold, "text/plain": "x = 1"})]),
    ) == [(1, "Title", "Look. Prediction 1.1. Why? a b", ""), (3, "Title", "The line x = 1", "")]


def test_metadata_has_the_last_word():
    def cell(kind, text):
        return markdown(text, metadata={"slideshow": {"slide_type": kind}})

    cells = [
        markdown("# Title"),
        cell("slide", "First."),
        cell("-", "Same slide."),
        cell("subslide", "Below."),
        cell("notes", "Said. Only said."),
        cell("skip", "Gone.\n\n## Gone"),
        cell("fragment", "Later."),
    ]
    assert shown(*cells) == [
        (1, "Title", "", ""),
        (2, "Title", "First. Same slide.", ""),
        (3, "Title", "Below. Later.", "Said. Only said."),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    made = slides.slides(notebook, rendered(notebook, ".").body)
    assert [later for _, later in made[-1].blocks] == [False, True]


@pytest.mark.parametrize("path", course(), ids=lambda path: path.stem)
def test_stating_the_types_leaves_the_slides_as_they_are(path):
    notebook = nbformat.read(path, as_version=4)
    body = rendered(notebook, path.parent).body
    before = slides.slides(notebook, body)
    stated = slides.types(notebook)
    for cell, kind in zip(notebook.cells, stated, strict=True):
        if kind:
            cell.metadata["slideshow"] = {"slide_type": kind}
    assert {"slide", "fragment", "skip"} <= set(stated) and len(before) > 10
    assert slides.slides(notebook, body) == before


def test_the_opening_of_a_paragraph_is_whole_sentences():
    words = "One two three four five six seven eight nine ten. "
    assert slides.opening(words.strip()) == (words.strip(), "")
    first, rest = slides.opening(words * 6)
    assert first == (words * 4).strip() and rest == (words * 2).strip()
    formula = f"{words * 4}So $a. B$ and <em>this. Too</em> end here. {words}"
    assert slides.opening(formula)[0] == (words * 4).strip()
    long = "word " * 60 + "ends. Then more."
    assert slides.opening(long) == (("word " * 60 + "ends.").strip(), "Then more.")


def test_slides_are_a_page_that_needs_nothing_else(tmp_path):
    paths = export(tmp_path / "deck", two_notebooks(tmp_path), form="slides", execute=False, progress=False)
    assert [path.name for path in paths] == ["01_part.html", "02_part.html", "index.html"]
    deck = paths[0].read_text()
    assert "Reveal.initialize" in deck and not re.search(r"""<(script|link)[^>]+(src|href)=(?!"data:)""", deck)
    assert "Search" not in BeautifulSoup(paths[2].read_text(), "html.parser").body.header.get_text()
    with pytest.raises(ValueError, match="form='book' is unknown: choose from site, slides"):
        export(tmp_path / "deck", two_notebooks(tmp_path), form="book")


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
