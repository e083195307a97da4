"""The cell and the badge that open the course in Google Colab."""

import json
import sys
import types

import nbformat
import pytest

from diffusion_lib.course import colab
from diffusion_lib.course.pages import course

ADDRESS = "https://github.com/owner/name"


def test_the_cell_stands_behind_the_head_and_is_replaced(tmp_path):
    path = course()[1]
    before = json.loads(path.read_text(encoding="utf-8"))
    once = colab.with_cell(before, ADDRESS)
    nbformat.validate(nbformat.from_dict(once))
    cells = [cell["id"] for cell in once["cells"]]
    assert cells[1] == "colab" and len(cells) == len(before["cells"]) + 1
    twice = colab.with_cell(once, "https://example.org/other")
    assert [cell["id"] for cell in twice["cells"]] == cells and "example.org" in "".join(twice["cells"][1]["source"])


def test_elsewhere_the_cell_does_nothing():
    assert "google.colab" not in sys.modules
    exec(colab.CELL.format(address=ADDRESS), {})  # no get_ipython, no google: a NameError if it did anything


def test_in_colab_the_cell_installs_the_course_and_lets_widgets_show(monkeypatch):
    done = []
    output = types.SimpleNamespace(enable_custom_widget_manager=lambda: done.append("widgets"))
    module = types.ModuleType("google.colab")
    module.output = output
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", module)
    shell = types.SimpleNamespace(run_line_magic=lambda name, line: done.append((name, line)))
    exec(colab.CELL.format(address=ADDRESS), {"get_ipython": lambda: shell})
    assert done == [("pip", f"install --quiet git+{ADDRESS}"), "widgets"]


def test_the_badge_stands_once_under_the_title(monkeypatch, tmp_path):
    text = "# Title\n\nFirst words.\n"
    badged = colab.with_badge(text, "owner/name")
    line = badged.splitlines()[2]
    assert line.endswith("/github/owner/name/blob/main/notebooks/00_start_here.ipynb)") and badged.startswith(
        "# Title\n"
    )
    assert badged.endswith("\n\nFirst words.\n") and colab.with_badge(badged, "owner/name") == badged


def test_both_are_written_into_the_course(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / course()[0].name
    path.write_text(course()[0].read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "README.md").write_text("# Title\n\nWords.\n")
    monkeypatch.setattr(colab, "course", lambda: [path])
    colab.write("owner/name")
    before, after = (file.read_text(encoding="utf-8").splitlines() for file in (course()[0], path))
    added = [line for line in after if line not in before]
    assert any(ADDRESS in line for line in added) and not set(before) - set(after)  # nothing else was touched
    assert "colab-badge" in (tmp_path / "README.md").read_text()
    with pytest.raises(ValueError, match=r"'https://github.com/owner/name': give it as owner/name"):
        colab.write(ADDRESS)
