"""The glossary and the index of symbols say what the notebooks say."""

import json

import pytest

from diffusion_lib.course import glossary
from diffusion_lib.course.pages import course


def notebook(folder, name, *texts):
    cells = [{"cell_type": "markdown", "source": text.splitlines(True)} for text in texts]
    (folder / name).write_text(json.dumps({"cells": cells}))
    return folder / name


def test_a_term_is_the_sentence_that_defines_it(tmp_path):
    path = notebook(tmp_path, "01_a.ipynb", "# One", "## 1.2 Slopes\n\nFirst this. The slope\nis called the **<dfn>score</dfn>**, "
                    "e.g. of a Gaussian. Then that.\n\n- Another: a <dfn>walk</dfn> has steps.")  # fmt: skip
    score, walk = glossary.terms([path])
    assert score == glossary.Entry(
        "score", "The slope is called the *score*, e.g. of a Gaussian.", "01_a.ipynb", "1.2 Slopes"
    )
    assert walk.meaning == "Another: a *walk* has steps."


def test_a_sentence_that_points_back_brings_what_it_points_to():
    text = "First. Draw from\nthe posterior. This is *<dfn>ancestral sampling</dfn>*:"
    assert glossary.sentence(text, "ancestral sampling") == "Draw from the posterior. This is *ancestral sampling*"


def test_a_term_is_defined_once(tmp_path):
    paths = [notebook(tmp_path, f"0{i}_a.ipynb", "The <dfn>Score</dfn> is a slope.") for i in (1, 2)]
    with pytest.raises(ValueError, match="'Score' is defined in 01_a.ipynb and in 02_a.ipynb"):
        glossary.terms(paths)


def test_symbols_are_the_tables_rows(tmp_path):
    table = "<details><summary>All symbols of this notebook, to come back to</summary>\n\n| symbol | meaning |\n| --- | --- |\n"
    first = notebook(
        tmp_path, "01_a.ipynb", "# One\n\n" + table + "| $t$ | the time |\n| $q(a\\|b)$ | a density |\n\n</details>"
    )
    second = notebook(tmp_path, "02_b.ipynb", table + "| $t$ | the time |\n\n</details>")
    assert [s.name for s in glossary.symbols([first, second])] == ["$t$", "$q(a\\|b)$", "$t$"]
    assert "| $t$ | the time | [01](01_a.ipynb), [02](02_b.ipynb) |" in glossary.page([first, second])
    with pytest.raises(ValueError, match="3 columns, not 2"):
        glossary.symbols([notebook(tmp_path, "03_c.ipynb", table + "| $p(a|b)$ | two |\n\n</details>")])


def test_the_page_in_the_course_is_up_to_date():
    path = course()[0].parent / "GLOSSARY.md"
    assert path.read_text(encoding="utf-8") == glossary.page(course()), (
        f"write it anew: python -m diffusion_lib.course.glossary notebooks/{path.name}"
    )


def test_every_notebook_has_its_symbols():
    listed = {symbol.file for symbol in glossary.symbols(course())}
    assert {path.name for path in course()} == listed
