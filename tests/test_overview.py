"""How far a learner has come: counted from the record, and in no notebook or page that others read."""

import nbformat
import pytest

from diffusion_lib import cli
from diffusion_lib.course import check, my_progress, overview, progress
from diffusion_lib.course.exercises import learner
from diffusion_lib.course.exercises.catalogue import find
from diffusion_lib.course.pages import page_of
from diffusion_lib.course.pages.models import STATE, VIEW
from diffusion_lib.course.questions.catalogue import catalogue
from diffusion_lib.course.server import keep_stills


@pytest.fixture(autouse=True)
def record(tmp_path, monkeypatch):
    """An empty record, and a kernel that has recorded nothing."""
    path = tmp_path / "progress.jsonl"
    monkeypatch.setenv("DIFFUSION_PROGRESS", str(path))
    monkeypatch.delenv("DIFFUSION_EXERCISES", raising=False)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(progress, "_unwritten", [])
    monkeypatch.setattr(learner, "_recorded", {})
    return path


def row(notebook):
    return next(row for row in overview.rows() if row.notebook == notebook)


def stub(x0, i, noise, alpha_bar): ...


def test_a_check_is_recorded_once_a_state_and_a_stub_never(record):
    check("2.1", stub)
    assert not record.exists() and row(2).exercises["2.1"] == ""
    wrong = find("2.1").mistakes[0].answer
    check("2.1", wrong)
    check("2.1", wrong)
    assert len(record.read_text().splitlines()) == 1 and row(2).exercises["2.1"] == "tried"
    check("2.1", find("2.1").reference)
    assert row(2).exercises["2.1"] == "right" and row(2).solved == 1
    check("2.1", wrong)
    assert row(2).exercises["2.1"] == "right"  # what was solved stays solved
    assert len(record.read_text().splitlines()) == 3


def test_nothing_is_recorded_while_a_submission_is_graded(record, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    check("2.1", find("2.1").reference)
    assert not record.exists()


def test_a_record_that_cannot_be_written_stops_no_check(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DIFFUSION_PROGRESS", str(tmp_path / "file" / "progress.jsonl"))
    check("2.1", find("2.1").reference)
    assert "2.1 — right." in capsys.readouterr().out
    assert row(2).solved == 1  # as long as the kernel


def test_predictions_are_counted_with_how_sure_one_was():
    first, second = list(catalogue(1).values())[:2]
    progress.record("prediction", first.id, {"answer": first.answer, "sure": "sure", "right": False})
    progress.record("prediction", second.id, {"answer": "gone in this edition", "sure": "sure", "right": True})
    assert row(1).words()[2] == f"1 of {len(catalogue(1))} answered, 1 right; 1 sure, 1 of them right"
    assert row(2).words()[2].startswith("0 of")


def test_the_command(capsys):
    assert cli.main(["progress"]) == 0
    empty = capsys.readouterr().out
    assert "○ 2.1" in empty and "\n0 of " in empty and "sent nowhere" in empty
    check("2.1", find("2.1").reference)
    capsys.readouterr()
    assert cli.main(["progress"]) == 0
    out = capsys.readouterr().out
    assert "✓ 2.1" in out and "\n1 of " in out and out.count("\n") == empty.count("\n")


def test_no_progress_is_in_a_saved_notebook_or_in_a_page(record):
    before = my_progress()._repr_mimebundle_()[0]
    check("2.1", find("2.1").reference)
    widget = my_progress()
    assert ["02", "1 of 4"] in [entry[:2] for entry in widget._answers] and str(record) in widget._kept
    data = widget._repr_mimebundle_()[0]
    assert {k: v for k, v in data.items() if k != VIEW} == {k: v for k, v in before.items() if k != VIEW}
    cell = nbformat.v4.new_code_cell("my_progress()", outputs=[nbformat.v4.new_output("display_data", data)])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    state = {name: value for name, value in widget.get_state().items() if name != "layout"}
    notebook.metadata["widgets"] = {STATE: {"state": {widget.model_id: {"model_name": "AnyModel", "state": state}}}}
    page = page_of(notebook, "page").html
    assert "✓ 2.1" not in page and str(record) not in page and "Your progress" in page
    assert VIEW not in keep_stills(notebook).cells[0].outputs[0].data and "widgets" not in notebook.metadata
