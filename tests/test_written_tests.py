"""Exercises whose answer is a test: what is said of tests that cannot fail, blame right programs, or stop.

What learners write for the exercises of notebook 12 is in `exercise_answers/12.txt`.
"""

import warnings

import pytest
import torch

from diffusion_lib.course.exercises import check, learner, use, verdicts, written_tests
from diffusion_lib.course.exercises.catalogue import catalogue, find, notebooks
from diffusion_lib.course.exercises.verdicts import judge
from diffusion_lib.course.exercises.written_tests import Subject, TestExercise
from diffusion_lib.course.gallery import load

ALL = [e for n in notebooks() for e in catalogue(n).values() if isinstance(e, TestExercise)]


class Coin:
    """A program with one function: the mean of what it draws is `mean`."""

    T = 3

    def __init__(self, mean):
        self.mean = mean

    def draw(self, count):
        return self.mean + torch.randn(count)


def mean_is_two(code):
    assert abs(code.draw(10000).mean() - 2) < 0.05


COIN = TestExercise(
    id="99.1",
    title="The mean",
    reference=mean_is_two,
    right=(Subject(lambda: Coin(2.0), "the program itself"), Subject(lambda: Coin(2.0 + 1e-6), "one with rounding")),
    wrong=(Subject(lambda: Coin(0.0), "the mean is 0"), Subject(lambda: Coin(2.5), "the mean is half too large")),
    nonsense=(Subject(lambda: Coin(-100.0), "the mean is nonsense"),),
    hints=("Draw.", "Many.", "Compare."),
)


def says(test):
    return judge(COIN, test).line.removeprefix("99.1 — ")


def written(body, tmp_path, head="def test(code):"):
    """The function with this body, from a file, so that its source is known."""
    path = tmp_path / "answer.py"
    path.write_text(f"import torch\n{head}\n    {body}\n")
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        exec(compile(path.read_text(), str(path), "exec"), names)
    return names["test"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            "assert abs(code.draw(10000).mean() - 2) < 0.05",
            "right. It passes on 2 right programs and notices 2 of 2 wrong ones.",
        ),
        ("...", "not attempted yet"),
        ("'''A docstring.'''", "not attempted yet"),
        ("raise NotImplementedError", "not attempted yet"),
        ("code.draw(10000).mean() == 2", "it cannot fail. There is no assert in it."),
        ("assert (code.draw(9).mean() == 2, 'the mean')", "it cannot fail. `assert (a, b)` asserts a tuple"),
        (
            "assert 'the mean is 2'",
            "it cannot fail. `assert 'the mean is 2'` is always true: after assert belongs what",
        ),
        ("assert f'{code.mean}'", "is always true: after assert belongs what has to be true."),
        (
            "try:\n        assert abs(code.draw(10000).mean() - 2) < 0.05\n    except AssertionError:\n        print('wrong')",
            "it cannot fail. Its assert stands below `try`, and `except` catches what it raises: take it out of there.",
        ),
        (
            "try:\n        assert abs(code.draw(10000).mean() - 2) < 0.05\n    except AssertionError as e:\n        raise e",
            "right. It passes on 2 right programs",
        ),
        (
            "try:\n        assert code.draw(100).mean() > -50\n    except AssertionError:\n        raise",
            "it cannot fail. Among others it passes on the program in which the mean is 0.",
        ),
        (
            "torch.testing.assert_close(code.draw(9).mean(), torch.tensor(2.0), atol=9, rtol=0)",
            "it cannot fail. Among others it passes on the program in which the mean is 0.",
        ),
        (
            "torch.manual_seed(1)\n    assert abs(code.draw(10000).mean() - 2) < 0.01",
            "It depends on chance: 3 of 10 runs fail on the right program, in line 4",
        ),
        (
            "torch.manual_seed(1)\n    assert abs(code.draw(10000).mean() - 2) < 0.01",
            "(A seed that is fixed hides this, so the check moves yours on from run to run.)",
        ),
        ("assert torch.ones(3).sum() == 3", "it cannot fail. It never looks at `code`."),
        (
            "assert len(code.draw(7)) == 7",
            "it cannot fail. It passes even where the mean is nonsense. So does every test that looks at shapes only",
        ),
        (
            "assert code.draw(100).mean() > -50",
            "it cannot fail. Among others it passes on the program in which the mean is 0.",
        ),
        ("assert False", "It fails on everything, right and wrong alike, in line 3, `assert False`: that is what"),
        ("assert abs(code.draw(10000).mean()) < 0.05", "It fails on the right program, too, in line 3, `assert abs("),
        (
            "assert abs(code.draw(10000).mean() - 2) < 0.005",
            "of 10 runs fail on the right program, in line 3, `assert abs(",
        ),
        (
            "assert abs(code.draw(10000).mean() - 2) < 1",
            "It notices 1 of 2. It passes on the program in which the mean is half too",
        ),
        ("assert abs(code.draw(60).mean() - 2) < 0.45", "only 2 of 3 runs fail. Measure more points"),
        (
            "assert code.mean == 2.0",
            "It fails on a right program, too: one with rounding, in line 3, `assert code.mean == 2.0`.",
        ),
        (
            "assert code.average == 2.0",
            "It stopped with AttributeError ('Coin' object has no attribute 'average') in line 3",
        ),
        (
            "assert abs(code.draw(10000).mean() - two) < 0.05",
            "It stopped with NameError (name 'two' is not defined) in line 3",
        ),
        (
            "x = code.draw(10000)\n    assert 1 / (abs(x.mean()) > 1).item() == 1",
            "ZeroDivisionError (float division by zero",
        ),
        (
            "assert 2 - 0.05 < code.draw(10000).mean() < 2.05 or code.mean < -9",
            "notices all wrong lines here, and yet it passes where the mean is nonsense",
        ),
        ("import sys\n    sys.exit()", "It stopped with SystemExit"),
    ],
)
def test_what_is_said_of_a_test(body, sentence, tmp_path):
    line = says(written(body, tmp_path))
    if "ZeroDivision" in sentence and "ZeroDivision" in line:  # its words differ from Python to Python
        assert "on a wrong program" in line
        return
    assert sentence in line, line
    assert "\n" not in line


def test_a_helper_that_asserts_counts_as_an_assert(tmp_path):
    test = written(
        "near(code.draw(9).mean(), 2, 9)", tmp_path, "def near(a, b, d):\n    assert a - b < d\n\ndef test(code):"
    )
    assert "it cannot fail. It passes even where" in says(test)
    elsewhere = tmp_path / "helper"
    elsewhere.mkdir()
    test.__globals__["near"] = written("return a == b", elsewhere, "def test(a, b, d):")  # which asserts nothing
    assert "it cannot fail. There is no assert in it." in says(test)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            "x = step(torch.zeros(9), 1)\n    assert x.var() >= 0",
            "It never looks at `code`. It uses `step` of the page: in the program under test, that is `code.step`.",
        ),
        (
            "for i in range(1, T + 1):\n        assert code.step(torch.zeros(3), i).isfinite().all() and beta[i] > 0",
            "It uses `T` and `beta` of the page: in the program under test, that is `code.T` and `code.beta`.",
        ),
        ("T = code.T\n    assert code.step(torch.zeros(3), T).isfinite().all()", "from elsewhere."),
        ("step = code.step\n    assert step(torch.zeros(3), 1).isfinite().all()", "from elsewhere."),
    ],
)
def test_what_is_taken_from_the_page_and_not_from_the_program_is_named(body, sentence, tmp_path):
    test = written(body, tmp_path)
    test.__globals__.update({name: value for name, value in vars(load("tiny")).items() if name != "torch"})
    assert judge(find("12.1"), test).line.endswith(sentence)


def test_what_raises_on_nonsense_has_noticed_it():
    """Nonsense may make a test divide by 0; on a wrong program that is still the test's own error."""

    def divides(code):
        x = code.draw(10000).mean()
        assert 0.95 < x / 2 < 1.05 if code.mean > -50 else 1 / 0

    assert says(divides).startswith("right.")


def test_a_seed_is_moved_on_and_put_back():
    """Two draws from one seed are equal within a run; torch's own function is back afterwards, whatever happens."""
    before = torch.manual_seed

    def compares(code):
        draws = [torch.manual_seed(7) and code.draw(5) for _ in range(2)]
        assert torch.equal(*draws) and abs(code.draw(10000).mean() - 2) < 0.05

    assert says(compares).startswith("right.")
    assert "It stopped with TypeError" in says(lambda code: torch.manual_seed(None))
    assert torch.manual_seed is before


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "Hand over the function itself, without brackets"),
        (True, "Hand over the function itself"),
        (lambda: 1, "Your function takes (), but the check calls it with (code): keep the stub's first line."),
        (lambda one, two: 1, "Your function takes (one, two), but the check calls it with (code)"),
    ],
)
def test_what_is_no_test(answer, sentence):
    assert sentence in says(answer)


def test_a_test_without_source_gets_a_sentence():
    names = {}
    exec("def test(code):\n    assert len(code.draw(3)) == 3", names)
    assert "it cannot fail. It passes even where" in says(names["test"])


def test_a_test_that_never_ends_is_stopped(monkeypatch):
    def endless(code):
        while True:
            code.draw(3)

    monkeypatch.setattr(written_tests, "TIME_LIMIT", 0.5)
    assert "took more than 0.5 seconds: measure fewer points, or look for a loop that never ends." in says(endless)


def test_every_run_has_numbers_of_its_own_and_the_notebooks_are_left_alone():
    seen = []

    def test(code):
        seen.append(torch.randn(1).item())
        assert abs(code.draw(10000).mean() - 2) < 0.05

    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert says(test).startswith("right.")
    assert len(set(seen[: written_tests.SEEDS])) == written_tests.SEEDS
    assert torch.equal(before, torch.get_rng_state())
    first, seen[:] = list(seen), []
    torch.manual_seed(6)
    assert says(test).startswith("right.") and seen == first  # everyone gets the same verdict


def test_a_program_that_a_test_spoils_is_fresh_for_the_run_after_it():
    def spoils(code):
        assert abs(code.draw(10000).mean() - 2) < 0.05
        code.mean = 77.0

    assert says(spoils).startswith("right.")


def test_what_a_test_prints_is_shown_once():
    def prints(code):
        print("mean", code.mean)
        assert code.mean == 3

    assert judge(COIN, prints).printed == "mean 2.0\n"


# ---------------------------------------------------------------- those of the course


@pytest.fixture(autouse=True)
def not_grading(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.delenv("DIFFUSION_EXERCISES", raising=False)


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_the_courses_own_test_is_right(exercise):
    assert judge(exercise, exercise.reference).line.startswith(f"{exercise.id} — right. It passes on ")


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_an_exercise_is_complete(exercise):
    assert len(exercise.right) >= 3 and len(exercise.wrong) >= 3 and exercise.nonsense
    words = [subject.words for subject in (*exercise.right, *exercise.wrong, *exercise.nonsense)]
    assert len(set(words)) == len(words)
    assert len(exercise.hints) == 3 and all(hint[-1] in ".?" for hint in exercise.hints)
    texts = [subject.make().text for subject in (*exercise.right, *exercise.wrong, *exercise.nonsense)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_a_wrong_program_more_or_one_less_changes_the_verdict(exercise):
    """If a right program stood among the wrong ones, or a wrong one among the right, the course's own test would fail."""
    import dataclasses

    blamed = dataclasses.replace(exercise, wrong=(*exercise.wrong, exercise.right[1]))
    assert "It passes on the program in which" in judge(blamed, exercise.reference).line
    praised = dataclasses.replace(exercise, right=(*exercise.right, exercise.wrong[0]))
    assert "It fails on a right program, too" in judge(praised, exercise.reference).line


def test_check_and_use_know_a_test(capsys, monkeypatch):
    monkeypatch.setattr(learner, "_right", {})
    assert use("12.4") is next(e for e in ALL if e.id == "12.4").reference

    def mine(code):
        return next(e for e in ALL if e.id == "12.4").reference(code)

    check("12.4", mine)
    assert use("12.4") is mine
    assert "✓ 12.4 — right. It passes on" in capsys.readouterr().out
    assert verdicts.judge(COIN, mine).state == "not yet"
