"""Numbers on the page: what the nbval plugin lets pass, what it turns red, and what it says then."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from diffusion_lib.course import numbers
from diffusion_lib.course.numbers import WIDGET_VIEW, compare, differences, read_tolerance, refusal, split

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
PLUGIN = "diffusion_lib.course.numbers"


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def shown(**data):
    return new_output("display_data", {key.replace("_", "/", 1): value for key, value in data.items()})


# ---------------------------------------------------------------- what is a number


@pytest.mark.parametrize("line, values", [
    ("loss 0.604, then -3 and +0.5 and .25", ["0.604", "-3", "+0.5", ".25"]),
    ("40% of 40 %, 1e-05 and 4.04e−5 and −2", ["40", "40", "1e-05", "4.04e−5", "−2"]),
    ("0.53 ± 0.02; from 3-4, 5–10 and 2×3", ["0.53", "0.02", "3", "4", "5", "10", "2", "3"]),
    ("20,000 or 20_000 or 20 000 or 1 234 567.5 of them", ["20,000", "20_000", "20 000", "1 234 567.5"]),
    ("200\u202f000 samples, 200\u00a0000 more", ["200\u202f000", "200\u00a0000"]),
    ("[100 200 300] and 100 200 0.5 (64, 1, 8)", ["100", "200", "300", "100", "200", "0.5", "64", "1", "8"]),
    ("50.0 100 200 and (1)-2 and 50%-60%", ["50.0", "100", "200", "1", "2", "50", "60"]),
    ("[1. 2.e-05] was 3. Then", ["1", "2.e-05", "3"]),
    ("nan, -inf and NaN", ["nan", "-inf", "NaN"]),
    ("x0 conv2d DPM2 2M 3s 0x7f 3.11.7 2.15.0+cpu 02 information", []),
    ("x_0 1e99999 1.2.3", []),
])  # fmt: skip
def test_what_is_a_number(line, values):
    words, found = split(line)
    assert [number.text for number in found] == values
    assert len(words) == len(values) + 1


@pytest.mark.parametrize("text, unit", [
    ("0.604", 0.001), ("31", 1), ("1e-05", 1e-05), ("4.04e−5", 1e-07), ("20 000", 1), ("1.50e+03", 10), ("-0.0", 0.1),
])  # fmt: skip
def test_one_unit_of_the_last_printed_digit(text, unit):
    assert float(split(text)[1][0].unit) == unit


# ---------------------------------------------------------------- what passes, what does not


@pytest.mark.parametrize("committed, computed", [
    ("a 0.604 b", "a 0.605 b"), ("a 0.604 b", "a 0.603 b"), ("31 of 32", "30 of 32"), ("40%", "41 %"),
    ("1e-05", "9e-06"), ("9e-06", "1e-05"), ("0.0999", "0.100"), ("[1. 2.]", "[0.99 2.  ]"), ("is 3.", "is 2.9."),
    ("-0.00", "0.00"), ("−0.5", "-0.5"), ("20 000 of", "19,999 of"), ("nan", "nan"), ("-inf", "-inf"),
    ("loss   9.99  b", "loss  10.00  b"), ("  9.99 b", "10.00 b"), ("[0.5, 0.3]", "[0.49, 0.3]"), ("a\n", "a"),
])  # fmt: skip
def test_a_number_within_one_unit_passes(committed, computed):
    assert differences(committed, computed) == []


@pytest.mark.parametrize("committed, computed", [
    ("a 0.604 b", "a 0.606 b"), ("31 of 32", "29 of 32"), ("0.01", "-0.01"), ("40%", "42%"), ("1e-05", "1e-04"),
    ("1e-05", "8e-06"), ("0.5", "0.42"), ("1", "0.3"), ("nan", "0.1"), ("0.1", "nan"), ("nan", "inf"), ("inf", "-inf"),
    ("1.0", "inf"), ("20 000 of", "21 000 of"), ("1e5", "3e5"), ("[100 200 300]", "[100 209 300]"),
])  # fmt: skip
def test_a_number_outside_one_unit_does_not(committed, computed):
    (sentence,) = differences(committed, computed)
    assert "number" in sentence and f"computed:  {computed}" in sentence


@pytest.mark.parametrize("committed, computed", [
    ("loss 0.5", "lose 0.5"), ("loss 0.5", "loss 0.5 nats"), ("0.5 ± 0.1", "0.5 + 0.1"), ("x0 is 1", "x1 is 1"),
    ("conv2d", "conv3d"), ("torch 3.11.7", "torch 3.11.8"), ("notebook 02", "notebook 03"), ("True", "False"),
    ("40 %", "40"), ("a - 1", "a 1"), ("was 3.", "was 3"), ("2M", "3M"), ("a b", "ab"), ("3.5 x.", "3.5 x"),
    ("a\nb\n", "a\n"), ("a\n", "a\nb\n"), ("a\n\nb", "a\nb"), ("1 2 3", "1 2"), ("1 2", "1 2 3"), ("0.5", "half"), ("", "a"),
])  # fmt: skip
def test_other_words_lines_or_count_of_numbers_do_not_pass_at_any_tolerance(committed, computed):
    assert len(differences(committed, computed, read_tolerance({"tolerance": "1000%"}))) == 1


def test_the_report_says_which_number_where_and_how_far_it_may_be_off():
    (sentence,) = differences("first\nloss 1.30, error 0.604", "first\nloss 1.30, error 0.709")
    assert sentence == (
        "line 2, number 2: committed 0.604, computed 0.709, allowed ±0.001 (one unit of the last printed digit)\n"
        "    committed: loss 1.30, error 0.604\n    computed:  loss 1.30, error 0.709"
    )
    (sentence,) = differences("a\nb\nc", "a\nc")
    assert sentence == "3 lines committed, 2 computed; line 2: other words\n    committed: b\n    computed:  c"


def test_in_a_table_of_html_the_cells_are_numbers_and_the_tags_are_words():
    table = '<table width="340">\n<tr><td>loss &#39;x&#39;</td><td>0.604</td></tr></table>'
    assert differences(table, table.replace("0.604", "0.605"), html=True) == []
    assert compare([shown(text_html=table)], [shown(text_html=table.replace("340", "341"))], {})
    (sentence,) = differences(table, table.replace("0.604", "0.606"), html=True)
    assert "number 1: committed 0.604, computed 0.606" in sentence
    for other in (
        table.replace("340", "341"),
        table.replace("td", "th"),
        table.replace("loss", "los"),
        table.replace("39", "38"),
    ):
        assert differences(table, other, html=True)


# ---------------------------------------------------------------- the cell's own tolerance


@pytest.mark.parametrize("tolerance, committed, passes, fails", [
    ("10%", "1.00", "1.10", "1.11"), ("10 %", "-200", "-220", "-221"), ("2.5%", "40.0", "41.0", "41.1"),
    ("2%", "0.3", "0.4", "0.5"),  # a percentage never asks for more than the printed digits can say
    (0.05, "1.00", "1.05", "1.06"), (3, "40 %", "43 %", "44 %"), (0, "31", "31", "32"), (None, "31", "32", "33"),
    ("10%", "0.0", "0.1", "0.2"), ("10%", "inf", "inf", "5"),
])  # fmt: skip
def test_what_the_cell_states_is_what_is_allowed(tolerance, committed, passes, fails):
    stated = read_tolerance({} if tolerance is None else {"tolerance": tolerance})
    assert differences(committed, passes, stated) == []
    assert len(differences(committed, fails, stated)) == 1


@pytest.mark.parametrize("wrong", ["10", "ten %", "-5%", "", -1, True, float("nan"), float("inf"), ["5%"], {}, "1e1%"])
def test_a_tolerance_that_cannot_be_read_is_refused(wrong):
    with pytest.raises(ValueError, match='write "tolerance": "2%" or "tolerance": 0.05'):
        read_tolerance({"tolerance": wrong})
    assert "is neither a percentage nor a number" in refusal({"tolerance": wrong}, [])
    assert compare([stream("a")], [stream("a")], {"tolerance": wrong}) == [refusal({"tolerance": wrong}, [])]


@pytest.mark.parametrize("tolerance, text, refused", [
    ("5%", "0.5", False), ("5.1%", "0.5", True), ("30%", "words", True),
    (0.05, "1.00 and inf", False), (0.06, "1.00", True), (0.06, "20.0 and 1.00", True), (1, "3 of 40", False), (2, "3 of 40", True),
    (2, "words", False), (0, "0.0", False), (0.05, "nan", False),
])  # fmt: skip
def test_more_than_five_percent_needs_a_reason(tolerance, text, refused):
    metadata = {"tolerance": tolerance}
    sentence = refusal(metadata, [stream(text)])
    assert (sentence is not None) == refused
    if refused:
        assert "more than 5 %" in sentence and '"tolerance_reason": "…"' in sentence
        assert compare([stream(text)], [stream(text)], metadata) == [sentence]
        assert refusal(metadata | {"tolerance_reason": " "}, [stream(text)]) == sentence
        assert refusal(metadata | {"tolerance_reason": "300 samples"}, [stream(text)]) is None
        assert compare([stream(text)], [stream(text)], metadata | {"tolerance_reason": "300 samples"}) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_tolerance_of_the_course_is_readable_and_has_its_reason(path):
    for position, cell in enumerate(nbformat.read(path, as_version=4).cells):
        sentence = refusal(cell.metadata, cell.get("outputs", []))
        assert sentence is None, f"cell {position}: {sentence}"
        if "tolerance" in cell.metadata:
            assert cell.get("outputs"), f"cell {position} prints nothing and states a tolerance"


# ---------------------------------------------------------------- kinds of output


PICTURE = shown(image_png="AAAA", text_plain="Loss 0.5")


@pytest.mark.parametrize("computed", [
    [PICTURE], [PICTURE, PICTURE, PICTURE], [PICTURE, shown(image_jpeg="AAAA", text_plain="Loss 0.5")], [],
    [PICTURE, shown(text_plain="Loss 0.5")], [PICTURE, PICTURE, stream("warning", "stderr")], [PICTURE, PICTURE, stream("a")],
    [PICTURE, new_output("execute_result", PICTURE["data"])], [PICTURE, shown(image_png="AAAA", text_plain="Loss 0.7")],
    [PICTURE, shown(image_png="AAAA", text_plain="Loss 0.5", text_html="<b>")],
])  # fmt: skip
def test_another_count_or_kind_of_outputs_does_not_pass(computed):
    assert compare([PICTURE, PICTURE], computed, {})


def test_pixels_and_live_views_are_not_compared():
    live = shown(image_png="BBBB", text_plain="Loss 0.6")
    live["data"][WIDGET_VIEW] = {"model_id": "1234"}
    assert compare([PICTURE], [live], {}) == []


def test_data_that_are_not_text_are_compared_exactly():
    before, after = (new_output("display_data", {"application/json": {"loss": loss}}) for loss in (0.5, 0.6))
    assert compare([before], [before], {}) == []
    assert compare([before], [after], {}) == ["application/json, committed {'loss': 0.5}, computed {'loss': 0.6}"]


# ---------------------------------------------------------------- in pytest


def test_pytest_loads_the_plugin_where_the_package_is_installed():
    (point,) = entry_points(group="pytest11", name=PLUGIN) or [None]
    assert point is not None, f"install the package again, for its entry point: pip install -e . with {sys.executable}"
    assert point.load() is numbers


def test_loading_the_plugin_loads_nothing_else():
    code = f"import sys, {PLUGIN}; print([m for m in ('torch', 'numpy', 'matplotlib', 'nbval', 'IPython') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def run(folder, *options):
    """Pytest in a folder of its own, so that nothing of this project's settings is read; its output, without colours."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        PLUGIN,
        "-p",
        "no:cacheprovider",
        "--color=no",
        "-q",
        *options,
        str(folder),
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(numbers.__file__).parents[2])}
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        environment.pop(name, None)
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    return result.returncode, result.stdout + result.stderr


def test_nbval_on_a_real_notebook(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    picture = "from IPython.display import Image, display\npixel = Image(b'\\x89PNG', format='png')\n"
    cells = [  # source, committed outputs, metadata, what the report says (None: green)
        ("print('loss 0.605')", [stream("loss 0.604\n")], {}, None),
        ("print('loss 0.709')", [stream("loss 0.604\n")], {}, "stdout, line 1, number 1: committed 0.604, computed 0.709, allowed ±0.001"),
        ("print('lose 0.604')", [stream("loss 0.604\n")], {}, "stdout, line 1: other words"),
        ("print('loss 0.604')", [stream("loss 0.604\nend\n")], {}, "stdout, 2 lines committed, 1 computed; line 2 is missing:\n    end"),
        ("print('loss 0.650')", [stream("loss 0.604\n")], {"tolerance": "10%", "tolerance_reason": "40 samples"}, None),
        ("print('loss 0.604')", [stream("loss 0.604\n")], {"tolerance": "10%"}, '"tolerance": "10%" is more than 5 % and has no reason'),
        (picture + "display(pixel)", [shown(image_png="AAAA", text_plain="<IPython.core.display.Image object>")], {}, None),
        ("display(pixel, pixel)", [shown(image_png="AAAA", text_plain="<IPython.core.display.Image object>")], {}, "image/png: 1 committed, 2 computed"),
        ("0.5", [new_output("execute_result", {"text/plain": "0.6"}, execution_count=1)], {}, None),
        ("assert 1 > 2, 'the claim'", [], {}, ": the claim"),
    ]  # fmt: skip
    notebook = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}})
    for count, (source, outputs, metadata, _) in enumerate(cells, 1):
        notebook.cells.append(new_code_cell(source, outputs=outputs, metadata=metadata, execution_count=count))
    nbformat.write(notebook, tmp_path / "page.ipynb")
    (tmp_path / "test_other.py").write_text("def test_what_is_no_cell():\n    pass\n")

    code, text = run(tmp_path, "--nbval")
    red = [number for number, (*_, report) in enumerate(cells) if report]
    assert code == 1 and f"{len(red)} failed, {len(cells) - len(red) + 1} passed" in text, text
    for number, (*_, report) in enumerate(cells):
        assert (f"page.ipynb::Cell {number} " in text) == (report is not None), text
        assert report is None or report in text, text

    code, text = run(tmp_path)
    assert code == 0 and "1 passed" in text, text
    code, text = run(tmp_path, "-p", "no:nbval")
    assert code == 0 and "1 passed" in text, text
