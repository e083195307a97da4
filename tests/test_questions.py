"""Predictions without a browser: what an author may ask, what stands in a saved notebook, what is recorded and counted."""

import ast
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

import diffusion_lib.course.questions as package
from diffusion_lib.course import predict, predictions, progress
from diffusion_lib.course.numbers import compare
from diffusion_lib.course.pages import course, page_of
from diffusion_lib.course.pages.models import STATE, VIEW
from diffusion_lib.course.questions import LEVELS, Question, asking
from diffusion_lib.course.questions.catalogue import catalogue, find
from diffusion_lib.course.questions.counts import count
from diffusion_lib.course.server import keep_stills
from diffusion_lib.schedules import LinearBeta

CHOICES = ["about 97 %", "about 70 %", "about 40 %", "about 5 %"]
BECAUSE = "Three hundred steps multiply."
LISTED = sorted(int(path.stem[2:]) for path in Path(package.__file__).parent.glob("nb[0-9][0-9].py"))


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """A record, and a kernel that has asked nothing, for each test."""
    monkeypatch.setenv("DIFFUSION_PROGRESS", str(tmp_path / "progress.jsonl"))
    monkeypatch.setattr(progress, "_unwritten", [])
    monkeypatch.setattr(asking, "_asked", {})
    return tmp_path / "progress.jsonl"


def ask(id="2.3", **options):
    return predict(id, "What is left?", **({"choices": CHOICES, "answer": 2, "because": BECAUSE} | options))


def ask_number(id="3.1", **options):
    return predict(
        id, "How many nats?", **({"answer": 0.42, "within": 0.1, "unit": "nats", "because": BECAUSE} | options)
    )


def give(widget, answer, sure="sure"):
    """What the browser sends when a learner locks an answer."""
    widget._on_message(widget, {"given": {"answer": answer, "sure": sure}}, [])


# --- what an author may ask ---------------------------------------------------------------------


@pytest.mark.parametrize("answer", [2, "about 40 %"])
def test_the_answer_is_a_choices_place_or_its_text(answer):
    assert ask(answer=answer)._question["answer"] == "about 40 %"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"id": "2"}, "id='2' is no section: write it like '2.3'"),
        ({"id": "two"}, "is no section"),
        ({"id": 2.3}, "id=2.3 is no section"),
        ({"choices": ["only one"], "answer": 0}, "has 1 choices: give 2 to 6"),
        ({"choices": list("abcdefg"), "answer": 0}, "has 7 choices: give 2 to 6"),
        ({"choices": []}, r"choices=\[\] is no list of texts: give 2 to 6"),
        ({"choices": "yes or no"}, "choices='yes or no' is no list of texts"),
        ({"choices": ["a", "a"], "answer": 0}, "has the choice 'a' twice: leave one out"),
        ({"choices": ["a", 3], "answer": 0}, "the choice 3 is no text"),
        ({"choices": ["a", " "], "answer": 0}, "the choice ' ' is no text"),
        ({"answer": 4}, "answer=4 is none of the choices: give one's text, or its place from 0 to 3"),
        ({"answer": -1}, "answer=-1 is none of the choices"),
        ({"answer": True}, "answer=True is none of the choices"),
        ({"answer": None}, "answer=None is none of the choices"),
        ({"answer": "about 4 %"}, "answer='about 4 %' is none of the choices"),
        ({"because": ""}, "because='' says nothing: write a sentence"),
        ({"within": 0.1}, "has choices: leave out within=0.1"),
        ({"unit": "nats"}, "has choices: leave out .*unit='nats'"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_value_and_a_remedy(options, message):
    with pytest.raises(ValueError, match=message):
        ask(**options)
    assert asking._asked == {}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"answer": "0.42"}, "answer='0.42' is no finite number: give one, or give `choices`"),
        ({"answer": None}, "answer=None is no finite number"),
        ({"answer": True}, "answer=True is no finite number"),
        ({"answer": float("nan")}, "answer=nan is no finite number"),
        ({"within": -0.1}, "within=-0.1 is no number of 0 or more: say how far off is still right"),
        ({"within": "10 %"}, "within='10 %' is no number"),
        ({"unit": None}, "unit=None is no text: write it like 'nats'"),
    ],
)
def test_numbers_that_cannot_be_asked_for_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ask_number(**options)


def test_a_question_without_text_and_options_without_a_question_are_refused():
    with pytest.raises(ValueError, match="text='' says nothing"):
        predict("2.3", "", choices=CHOICES, answer=0, because=BECAUSE)
    with pytest.raises(ValueError, match="choices, answer and the rest go with a question"):
        predict("2.3", answer=2)


@pytest.mark.parametrize(
    "number, right",
    [(0.42, True), (0.52, True), (0.32, True), (0.5200001, False), (0.3199999, False), (-0.42, False), (0, False)],
)
def test_a_number_is_right_within_its_tolerance_both_ends_included(number, right):
    assert Question("3.1", "?", 0.42, "Why.", within=0.1).is_right(number) is right


def test_without_a_tolerance_only_the_number_itself_is_right():
    question = Question("3.1", "?", 3, "Why.")
    assert question.is_right(3.0) and not question.is_right(3.0001)


def test_its_repr_rebuilds_it():
    question = Question("2.3", "?", "yes", "Why.", ("yes", "no"))
    assert eval(repr(question)) == question


WHY_NOT = {"no": "Steps multiply.", "1. maybe": "It is `yes`, as $1<2$."}


def test_what_speaks_against_a_wrong_choice_is_said_of_all_of_them_or_of_none():
    question = Question("2.3", "?", "yes", "Why.", ("yes", *WHY_NOT), why_not=WHY_NOT)
    assert eval(repr(question)) == question and hash(question)
    assert question.for_browser()["why_not"] == WHY_NOT and not ask()._question["why_not"]
    for wrong in ({"no": "x"}, WHY_NOT | {"yes": "x"}, {"no": "x", "1. maybe": " "}, {"no": "x", "maybe": "x"}):
        with pytest.raises(ValueError, match="why_not needs a sentence for each wrong choice and no other"):
            Question("2.3", "?", "yes", "Why.", ("yes", *WHY_NOT), why_not=wrong)
    with pytest.raises(ValueError, match="why_not needs a sentence"):
        Question("2.3", "?", 3, "Why.", why_not=WHY_NOT)
    page = html(question)
    items = page.details.find_all("li")
    assert [item.get_text() for item in items] == ["noSteps multiply.", "1. maybeIt is yes, as $1<2$."]
    assert "Steps multiply" not in page.get_text().partition("Answer")[0]


# --- the questions of the course ----------------------------------------------------------------


@pytest.mark.parametrize("notebook", LISTED)
def test_the_courses_questions_can_all_be_asked(notebook):
    questions = catalogue(notebook)
    assert questions
    for id, question in questions.items():
        widget = predict(id)
        assert widget._question["text"] == question.text and BECAUSE not in repr(widget)
        assert question.because[-1] in ".!?" and question.text[-1] in ".?:"


def test_an_unknown_question_is_named_with_those_there_are():
    with pytest.raises(
        ValueError, match=r"there is no question '2\.99': its notebook has 2\.1, .*, or give the question"
    ):
        predict("2.99")
    with pytest.raises(ValueError, match=r"there is no question '99\.1': write it like predict\('2\.3'\)"):
        find("99.1")


@pytest.mark.parametrize(
    "ids, message", [(("2.1", "2.1"), "has two questions '2.1'"), (("3.1",), "belongs into nb03.py")]
)
def test_two_questions_of_one_id_or_in_the_wrong_file_are_refused(ids, message, monkeypatch):
    nb02 = importlib.import_module("diffusion_lib.course.questions.nb02")
    monkeypatch.setattr(nb02, "QUESTIONS", tuple(Question(id, "?", 1.0, "Why.") for id in ids))
    with pytest.raises(ValueError, match=message):
        catalogue.__wrapped__(2)


def asked_in(notebook: dict) -> list[tuple[str, bool]]:
    """The id of each `predict` in a notebook's cells, and whether the question is written there."""
    calls = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code" or "predict(" not in cell["source"]:
            continue
        for node in ast.walk(ast.parse(re.sub(r"^[%!].*$", "", cell["source"], flags=re.M))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "predict" and node.args:
                calls.append((ast.literal_eval(node.args[0]), len(node.args) + len(node.keywords) > 1))
    return calls


def wrong_in(notebook: dict) -> list[str]:
    """What is wrong with a notebook's predictions: ids that are there twice, and questions that nobody knows."""
    calls = asked_in(notebook)
    ids = [id for id, _ in calls]
    unknown = [id for id, written in calls if not written and id not in catalogue(int(id.partition(".")[0]))]
    return [f"{id} twice" for id in sorted({id for id in ids if ids.count(id) > 1})] + [
        f"{id} unknown" for id in unknown
    ]


def test_wrong_ids_in_a_notebook_would_be_seen():
    sources = ['predict("2.3")', 'predict("2.3", "?", answer=1.0, because="Why.")', 'predict("2.77")', "%time 1\n1"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    assert wrong_in(notebook) == ["2.3 twice", "2.77 unknown"]


@pytest.mark.parametrize("path", course(), ids=lambda path: path.stem)
def test_each_prediction_of_a_notebook_has_an_id_of_its_own_and_is_known(path):
    assert wrong_in(nbformat.read(path, as_version=4)) == []


def test_the_share_after_300_steps():
    assert LinearBeta().alpha_bar(300 / 1000) == pytest.approx(0.40, abs=0.005)


# --- what stands in a saved notebook ------------------------------------------------------------


def html(question: Question) -> BeautifulSoup:
    output = nbformat.v4.new_output("display_data", {"text/markdown": question.markdown()})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("ask", outputs=[output])])
    return BeautifulSoup(page_of(notebook, "page").html, "html.parser").find(class_="jp-RenderedMarkdown")


def test_the_still_is_the_question_with_its_answer_folded():
    page = html(Question("2.3", "What is left?", "about 40 %", "They multiply.", tuple(CHOICES)))
    details = page.details.extract()
    assert [item.get_text() for item in page.find_all("li")] == CHOICES
    assert "Prediction 2.3. What is left?" in page.get_text() and "multiply" not in page.get_text()
    assert not details.has_attr("open") and details.summary.get_text() == "Answer"
    assert "about 40 %. They multiply." in details.get_text()


def test_the_still_of_a_number_says_its_unit_and_tolerance():
    page = html(Question("3.1", "How many?", 0.42, "Why.", within=0.1, unit="nats"))
    assert "0.42" not in page.get_text().partition("Answer")[0] and "a number, in nats" in page.get_text()
    assert "0.42 nats (right within 0.1). Why." in page.details.get_text()
    assert (
        Question("3.1", "How many?", 0.42, "Why.", unit="nats").plain()
        == "Prediction 3.1. How many? (a number, in nats)"
    )


def test_signs_of_markdown_and_html_are_text_and_formulas_and_code_stay():
    choices = ("1. first", "- minus", "# hash", "> more", r"$a<b$ and `x<y`", "<b>bold</b> & so")
    page = html(Question("2.3", "Is 1 < 2?", "# hash", "Yes.", choices))
    items = [item.get_text() for item in page.find_all("li")]
    assert items[:4] == ["1. first", "- minus", "# hash", "> more"] and items[5] == "<b>bold</b> & so"
    assert "$a<b$" in items[4] and page.find_all("li")[4].code.get_text() == "x<y"
    assert page.find(["h1", "blockquote", "ol", "b"]) is None


def saved(*widgets) -> dict:
    """A notebook that shows the widgets, as it is saved with its widget state."""
    notebook, models = nbformat.v4.new_notebook(), {}
    for widget in widgets:
        data, metadata = widget._repr_mimebundle_()
        output = nbformat.v4.new_output("display_data", data, metadata=metadata)
        notebook.cells.append(nbformat.v4.new_code_cell("ask", outputs=[output]))
        state = {name: value for name, value in widget.get_state().items() if name != "layout"}
        buffers = [
            {"path": [name], "data": "QUJD", "encoding": "base64"} for name, v in state.items() if isinstance(v, bytes)
        ]
        state = {name: value for name, value in state.items() if not isinstance(value, bytes)}
        models[widget.model_id] = {"model_name": "AnyModel", "state": state, "buffers": buffers}
    notebook.metadata["widgets"] = {STATE: {"state": models}}
    return notebook


def test_no_answer_of_a_learners_is_in_a_saved_notebook_or_in_a_page(fresh):
    before = saved(ask(), predictions())
    give(ask(), "about 97 %", "fairly sure")
    asked, score = ask(), predictions()
    assert asked._answers and score._answers
    after = saved(asked, score)
    page = page_of(after, "page").html
    data = page[page.index('id="diffusion-widgets"') :]
    data = data[: data.index("</script>")]
    assert '"_answers"' not in data and '"_kept"' not in data and str(fresh) not in page and 'right":false' not in page
    assert "_question" in data and "_asked" in data
    for cell, other in zip(keep_stills(before).cells, keep_stills(after).cells, strict=True):
        assert VIEW not in cell.outputs[0].data and cell.outputs[0].data == other.outputs[0].data
        assert compare(cell.outputs, other.outputs, {}) == []
    assert "widgets" not in after.metadata


def test_pages_are_small_and_their_formulas_have_katex_once():
    plain, formula = (page_of(saved(widget), "page").html for widget in (ask(), ask(because="For $x$.")))
    assert "KaTeX_Main" not in plain and "katex.render" in plain and len(plain) < 100_000
    assert (
        formula.count("font-family:KaTeX_Size1;font-style") == 1 and "QUJD" not in formula
    )  # the widget's own copy stays behind
    assert len(ask(because="For $x$.")._katex) < 100_000 and ask()._katex == b""


# --- what is recorded ---------------------------------------------------------------------------


def test_an_answer_is_recorded_and_a_cell_that_runs_again_keeps_it(fresh):
    give(ask(), "about 97 %", "fairly sure")
    (first,) = ask()._answers
    assert first == {"answer": "about 97 %", "sure": "fairly sure", "right": False}
    assert progress.read().of("prediction") == {"2.3": [first]}
    give(ask(), "about 40 %")
    assert [entry["right"] for entry in ask()._answers] == [False, True]
    assert len(fresh.read_text().splitlines()) == 2


def test_running_a_cell_records_nothing(fresh):
    ask(), ask_number(), predictions(), predict("2.3")
    assert not fresh.exists()


@pytest.mark.parametrize(
    "given",
    [
        {"answer": "another", "sure": "sure"},
        {"answer": "about 97 %", "sure": "?"},
        {},
        {"answer": ["x"], "sure": "sure"},
    ],
)
def test_what_is_no_answer_is_not_recorded(given, fresh):
    ask()._on_message(None, {"given": given}, [])
    ask()._on_message(None, {}, [])
    assert not fresh.exists()


def test_answers_to_an_earlier_edition_of_a_question_are_judged_anew_or_left_out(fresh):
    give(ask(), "about 70 %")
    assert ask(answer="about 70 %")._answers[0]["right"] is True
    assert ask(choices=["yes", "no"], answer=0)._answers == []
    assert len(progress.read().entries) == 1  # in the record it stays


def test_a_record_that_cannot_be_written_is_said_and_the_cell_goes_on(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DIFFUSION_PROGRESS", str(tmp_path / "file" / "progress.jsonl"))
    widget = ask()
    give(widget, "about 40 %")
    assert "cannot be written" in widget._kept
    assert ask()._answers[0]["right"] is True  # as long as the kernel
    score = predictions()
    assert score.counts.right == 1 and "not kept" in score._kept and "are kept in" not in score._kept
    assert str(tmp_path) not in str(widget._repr_mimebundle_()[0]) + str(score._repr_mimebundle_()[0])


# --- what is counted ----------------------------------------------------------------------------


def test_first_answers_count_by_how_sure_one_was_and_later_ones_do_not():
    ids = ["2.1", "2.2", "2.3", "2.4", "2.5"]
    answers = {
        "2.1": [{"sure": "sure", "right": False}, {"sure": "guessing", "right": True}, {"sure": "sure", "right": True}],
        "2.2": [{"sure": "sure", "right": True}],
        "2.3": [{"sure": "guessing", "right": True}],
        "2.5": [{"sure": "fairly sure", "right": False}],
        "7.1": [{"sure": "sure", "right": True}],  # not asked
    }
    counts = count(ids, answers)
    assert (counts.asked, counts.answered, counts.right, counts.again) == (5, 4, 2, 2)
    assert counts.by_level == {"sure": (2, 1), "fairly sure": (1, 0), "guessing": (1, 1)}
    assert counts.unanswered == ("2.4",) and counts.surprising == ("2.1",)
    assert str(counts) == (
        "You answered 4 of 5 predictions: 2 right. sure, 1 of 2 right; fairly sure, 0 of 1 right; guessing, 1 of 1 "
        "right. Sure, and surprised: 2.1. Not answered yet: 2.4."
    )
    assert list(counts.by_level) == list(reversed(LEVELS))


def test_the_summary_follows_each_answer_and_survives_a_broken_record(fresh):
    first, second, score = ask("2.3"), ask_number("3.1"), predictions()
    assert str(score) == "You have answered none of 2 predictions yet."
    give(first, "about 97 %")
    give(second, 0.5, "guessing")
    give(second, 0.9)
    assert (score.counts.answered, score.counts.right, score.counts.again) == (2, 1, 1)
    assert {id: len(list_of) for id, list_of in score._answers.items()} == {"2.3": 1, "3.1": 2}
    with fresh.open("a") as file:
        file.write('{"kind": "prediction", "id": "3.1", "va')
    again = predictions()
    assert again.counts == score.counts and again._kept.startswith("1 line of ")
    assert "sent nowhere" in again._kept


def test_a_summary_of_one_notebook_or_of_all():
    ask("2.3"), ask_number("3.1"), ask("2.3b")
    progress.record("prediction", "2.10", {"answer": "x", "sure": "sure", "right": True})
    progress.record("prediction", "5.1", {"answer": "x", "sure": "sure", "right": True})
    progress.record("prediction", "??", {"answer": "x", "sure": "sure", "right": True})
    progress.record("prediction", "5.2", {"answer": "x"})

    def ids(*arguments):
        return [question["id"] for question in predictions(*arguments)._asked]

    assert ids() == ["2.3", "3.1", "2.3b"]
    assert set(catalogue(2)) | {"2.3", "2.3b", "2.10"} == set(ids("02")) == set(ids(2))
    assert ids("all") == ["2.3", "2.3b", "2.10", "3.1", "5.1"]
    assert [question["here"] for question in predictions("all")._asked] == [True, True, False, True, False]
    for wrong in ("forward", -1, "2.3", True):
        with pytest.raises(ValueError, match="is no notebook's number: write '02', or 'all', or leave it out"):
            predictions(wrong)


def test_the_still_of_the_summary_is_a_sentence():
    data, _ = predictions()._repr_mimebundle_()
    assert data["text/markdown"] == f"*{data['text/plain']}*" and data["text/plain"].startswith("Here stands")
