"""The course as an nbgrader course: what students get, and what their submissions are worth, with the real nbgrader."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch

from diffusion_lib import cli
from diffusion_lib.course.exercises.catalogue import catalogue
from diffusion_lib.course.exercises.handin import hand_in, judge_file
from diffusion_lib.course.exercises.verdicts import judge
from diffusion_lib.course.exercises.written_tests import TestExercise
from diffusion_lib.course.release import release
from diffusion_lib.course.release.notebook import checked, source_version

pytest.importorskip("nbgrader", reason="needs nbgrader: pip install -r tests/requirements.txt")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
DOTS = re.compile(r"^    \.\.\.$", re.MULTILINE)


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def text(cell):
    return "".join(cell["source"])


def small_notebook(number=1):
    """A notebook without what takes time: its head, its imports, its exercises, its open task and its questions."""
    notebook = read(next(path for path in NOTEBOOKS if path.name.startswith(f"{number:02d}")))
    cells = notebook["cells"]
    notebook["cells"] = [
        cell
        for place, cell in enumerate(cells)
        if place < 2
        or "exercise" in cell["metadata"]
        or re.search(r"\*\*(Exercise|Open)|Teacher's|## Three", text(cell))
    ]
    return notebook


def solutions_of(number):
    """The solution of each exercise of a notebook, as source."""
    cells = small_notebook(number)["cells"]
    return {c["metadata"]["exercise"]: text(c) for c in cells if "solution" in c["metadata"].get("tags", ())}


@pytest.fixture(scope="module")
def solutions():
    """Those of notebook 01."""
    return solutions_of(1)


# ---------------------------------------------------------------- what is written


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The whole course, released."""
    folder = tmp_path_factory.mktemp("whole")
    release(folder)
    return folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_every_exercise_has_a_solution_a_check_and_points(path, whole):
    notebook = read(whole / "source" / path.stem / path.name)
    nbformat.validate(nbformat.from_dict(notebook))
    cells = {c["metadata"]["nbgrader"]["grade_id"]: c for c in notebook["cells"] if "nbgrader" in c["metadata"]}
    for id in catalogue(int(path.stem[:2])):
        answer, check = cells[f"exercise-{id.replace('.', '-')}"], cells[f"check-{id.replace('.', '-')}"]
        assert answer["metadata"]["nbgrader"]["solution"] and not answer["metadata"]["nbgrader"]["grade"]
        assert re.search(r"### BEGIN SOLUTION\n.+\n    ### END SOLUTION$", answer["source"], re.DOTALL)
        grading = check["metadata"]["nbgrader"]
        assert grading["grade"] and grading["locked"] and grading["points"] in (1, 2, 3)
        assert checked(check["source"])[0] == id and "HIDDEN TESTS" in check["source"]
    written = [name for name in cells if name.startswith(("question", "open"))]
    assert "open-task" in written and {"question-1", "question-2", "question-3"} <= set(written)
    assert all(not c.get("outputs") for c in notebook["cells"])


def test_a_point_a_star():
    source = source_version(small_notebook())
    assert source.exercises == {"1.1": 2, "1.2": 1, "1.3": 2, "1.4": 3}
    assert source.written == {"open-task": 3, "question-1": 1, "question-2": 1, "question-3": 1}


def test_the_marking_guide_holds_what_the_students_do_not_get(whole, solutions):
    guide = (whole / "marking" / "01_the_beta_schedule.md").read_text(encoding="utf-8")
    assert all(solution in guide for solution in solutions.values())
    assert "The three wishes just exclude each other" in guide and "The network has seen every noise level" in guide


def test_links_lead_to_the_neighbouring_assignments(whole):
    notebook = read(whole / "source" / "01_the_beta_schedule" / "01_the_beta_schedule.ipynb")
    links = set(re.findall(r"\]\(([^)]+\.ipynb)", "".join(map(text, notebook["cells"]))))
    assert links
    for link in links:
        assert (whole / "source" / "01_the_beta_schedule" / link).resolve().is_file(), link


@pytest.mark.parametrize("missing", ["solution", "stars", "check"])
def test_a_notebook_that_lacks_something_is_refused(missing):
    notebook = small_notebook()
    if missing == "solution":
        notebook["cells"] = [c for c in notebook["cells"] if c["metadata"] != {"exercise": "1.2"}]
        notebook["cells"].remove(next(c for c in notebook["cells"] if "# Solution of exercise 1.2" in text(c)))
    for cell in notebook["cells"]:
        if missing == "stars":
            cell["source"] = text(cell).replace("Exercise 1.2 (★)", "Exercise 1.2")
        if missing == "check":
            cell["source"] = text(cell).replace('check("1.2"', 'print("1.2"')
    words = {"solution": "1.2 has no solution", "stars": "1.2 has no stars", "check": "ends with its check"}
    with pytest.raises(ValueError, match=words[missing]):
        source_version(notebook)


def test_the_command(tmp_path, capsys):
    path = tmp_path / "01_small.ipynb"
    path.write_text(json.dumps(small_notebook()))
    assert cli.main(["release", str(tmp_path / "course"), str(path)]) == 0
    out = capsys.readouterr().out
    assert "01_small: 4 exercises, 8 points by their checks; 4 answers, 6 points by a person" in out
    assert "nbgrader generate_assignment 01_small" in out
    assert cli.main(["release", str(tmp_path / "course"), str(path)]) == 2
    assert "holds 01_small already: overwrite them (--overwrite)" in capsys.readouterr().err
    (tmp_path / "course" / "nbgrader_config.py").write_text("mine = 1\n")
    assert cli.main(["release", str(tmp_path / "course"), str(path), "--overwrite"]) == 0
    assert "is left as it is. It needs these lines" in capsys.readouterr().out
    assert (tmp_path / "course" / "nbgrader_config.py").read_text() == "mine = 1\n"
    assert cli.main(["release", str(tmp_path / "course"), str(tmp_path / "no.ipynb")]) == 2
    assert "no notebook" in capsys.readouterr().err


# ---------------------------------------------------------------- judged elsewhere


def exercises():
    return [exercise for path in NOTEBOOKS for exercise in catalogue(int(path.stem[:2])).values()]


TESTS = [exercise for exercise in exercises() if isinstance(exercise, TestExercise)]


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)
def test_what_is_handed_in_is_judged_as_the_check_judges_it(exercise, tmp_path):
    answers = [exercise.reference]
    if exercise.id.endswith(".1"):  # one a notebook, because wrong answers take time to explain
        mistakes = [mistake.answer for mistake in getattr(exercise, "mistakes", ())[:1]]  # a test has none
        answers += [*mistakes, lambda *a: None]
    for function in answers:
        hand_in(exercise.id, function, tmp_path / "file")
        theirs, ours = judge_file(exercise.id, tmp_path / "file"), judge(exercise, function)
        assert theirs.state == ours.state and (function is not exercise.reference or theirs.state == "right")
        assert theirs.line == ours.line


def passes_always(code):
    assert code.T


def fails_always(code):
    assert not code.T


def stub(code):
    """A docstring."""
    ...


def stops(code):
    assert code.no_such_thing


@pytest.mark.parametrize("exercise", TESTS, ids=lambda exercise: exercise.id)
@pytest.mark.parametrize(
    ("test", "state", "words"),
    [
        (passes_always, "not yet", "It passes on right and wrong alike: it cannot fail."),
        (fails_always, "not yet", "It fails on everything, right and wrong alike"),
        (stub, "not attempted", "not attempted yet"),
        (stops, "not yet", "It stopped with AttributeError"),
        (None, "not yet", "Hand over the function itself"),
    ],
)
def test_a_test_that_is_handed_in_is_judged_by_what_it_lets_pass(exercise, test, state, words, tmp_path):
    hand_in(exercise.id, test, tmp_path / "file")
    verdict = judge_file(exercise.id, tmp_path / "file")
    assert verdict.state == state and words in verdict.line
    assert verdict.line == judge(exercise, test).line


@pytest.mark.parametrize("exercise", TESTS, ids=lambda exercise: exercise.id)
def test_every_run_of_a_test_counts_whatever_the_file_says_of_itself(exercise, tmp_path):
    """The line in the file says "right" all the time; one run that went the other way, left out or added is enough."""
    hand_in(exercise.id, exercise.reference, tmp_path / "file")
    written = torch.load(tmp_path / "file")
    failed = written["failed"]
    flipped = [[*failed[:n], not failed[n], *failed[n + 1 :]] for n in range(len(failed))]
    for other in (*flipped, failed[:-1], [*failed, True], [], [True] * len(failed), [False] * len(failed), "yes", None):
        torch.save(written | {"failed": other}, tmp_path / "file")
        verdict = judge_file(exercise.id, tmp_path / "file")
        assert verdict.state == "not yet" and verdict.line.startswith(f"{exercise.id} — not yet."), other
    for other in ({}, {"line": written["line"]}, {"failed": failed}, [failed], written["line"]):
        torch.save(other, tmp_path / "file")
        assert judge_file(exercise.id, tmp_path / "file").state == "not yet", other
    torch.save(written, tmp_path / "file")
    assert judge_file(exercise.id, tmp_path / "file").state == "right"


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"line": "1.1 — right.", "answers": [], "drew_random": False},
        {
            "line": "1.1 — right.",
            "answers": [{"parts": [1.0], "changed": [], "remark": None}] * 99,
            "drew_random": False,
        },
        {"line": "1.1 — right.", "answers": [{"parts": "right", "changed": 1, "remark": 2}], "drew_random": False},
        ["right"],
        {"line": "1.1 — right.", "answers": ["every"], "drew_random": False},
    ],
)
def test_a_forged_file_is_not_right(written, tmp_path):
    torch.save(written, tmp_path / "file")
    verdict = judge_file("1.1", tmp_path / "file")
    assert verdict.state == "not yet" and verdict.line.startswith("1.1 — not yet.")


def test_answers_of_the_right_number_and_of_another_kind_are_not_right(tmp_path):
    find_right = catalogue(1)["1.1"].reference
    hand_in("1.1", find_right, tmp_path / "file")
    written = torch.load(tmp_path / "file")
    assert judge_file("1.1", tmp_path / "file").state == "right"
    for part in ("Tensor", None, torch.zeros(2, 2), torch.tensor(True), torch.full((3,), torch.nan)):
        for entry in written["answers"]:
            entry["parts"] = [part]
        torch.save(written, tmp_path / "file")
        assert judge_file("1.1", tmp_path / "file").state == "not yet", part


class Runs:
    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_a_file_that_would_run_something_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(Runs(), "file")
    assert judge_file("1.1", Path("file")).state == "not yet"
    assert judge_file("1.1", Path("nowhere")).state == "not yet"
    assert not Path("ran").exists()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_no_notebook_reaches_for_answers_by_itself(path, whole):
    from diffusion_lib.course.release.grading import reaching

    assert reaching(nbformat.read(whole / "source" / path.stem / path.name, 4)) == ""


@pytest.mark.parametrize(
    "source",
    [
        "from diffusion_lib.course.exercises import nb01",
        "import diffusion_lib.course.exercises.catalogue as c",
        "f = exercises.find('1.1')",
        "from diffusion_lib.course.exercises.catalogue import find",
        "open('diffusion_lib/course/exercises/nb01.py').read()",
        "alpha_bar_from = found.reference",
    ],
)
def test_what_reaches_for_answers_is_named(source):
    from diffusion_lib.course.release.grading import reaching

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1"), nbformat.v4.new_code_cell(source)])
    assert reaching(notebook).startswith("cell 2 reaches for the course's own answers")


@pytest.mark.parametrize(
    ("source", "is_answer", "named"),
    [
        ('"""As in the exercises. See the reference."""\n# find(...).reference, course.exercises', False, False),
        ("%matplotlib inline\nfrom diffusion_lib.course.exercises import check, hint", False, False),
        ('jump = use("1.1")', False, False),
        ('def alpha_bar_from(betas):\n    return use("1.1")(betas)', True, True),
        ("found = importlib.import_module(name)", True, True),
        ("from diffusion_lib.course import check, exercises", False, True),
        ("x = (  # not finished: course/exercises/nb01.py", False, True),
    ],
)
def test_only_what_reaches_is_named(source, is_answer, named):
    from diffusion_lib.course.release.grading import reaching

    metadata = {"nbgrader": {"solution": True}} if is_answer else {}
    cell = nbformat.v4.new_code_cell(source, metadata=metadata)
    assert bool(reaching(nbformat.v4.new_notebook(cells=[cell]))) == named


# ---------------------------------------------------------------- a course, with the real nbgrader


class Course:
    """An nbgrader course in a folder, with one small assignment."""

    def __init__(self, root, number=1):
        self.root = root
        self.name = f"{number:02d}_small"
        path = root / "given" / f"{self.name}.ipynb"
        path.parent.mkdir()
        path.write_text(json.dumps(small_notebook(number)))
        release(root, [path])
        self.run("generate_assignment", self.name)
        self.released = nbformat.read(root / "release" / self.name / f"{self.name}.ipynb", 4)

    def run(self, *command):
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "HOME": str(self.root)}
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment |= {"JUPYTER_DATA_DIR": str(self.root / "jupyter"), "JUPYTER_CONFIG_DIR": str(self.root / "config")}
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *command], cwd=self.root, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def submit(self, student, change):
        notebook = nbformat.from_dict(json.loads(nbformat.writes(self.released)))
        change(notebook)
        file = self.root / "submitted" / student / self.name / f"{self.name}.ipynb"
        file.parent.mkdir(parents=True)
        nbformat.write(notebook, file)

    def scores(self):
        """The automatic score of each cell, by student."""
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            return {
                s.student.id: {g.name: g.auto_score for g in s.notebooks[0].grades}
                for s in gradebook.find_assignment(self.name).submissions
            }


def cell_of(notebook, grade_id):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def answer(notebook, id, function):
    """Write a function over the stub."""
    cell_of(notebook, f"exercise-{id.replace('.', '-')}").source = function


def insert_before(notebook, grade_id, source):
    place = notebook.cells.index(cell_of(notebook, grade_id))
    notebook.cells.insert(place, nbformat.v4.new_code_cell(source))


WRONG = {
    "1.1": "def alpha_bar_from(betas):\n    return 1 - betas",
    "1.2": "def log_snr(alpha_bar):\n    return alpha_bar",
    "1.3": "def betas_from(alpha_bar):\n    return alpha_bar[1:]",
    "1.4": "def betas_for(T):\n    return torch.full((T,), 0.001)",
}

# What somebody might try. Each stands in a cell before the first check; all functions are wrong.
TAMPERS = {
    "the checks": """
import builtins, sys, os
import diffusion_lib.course
import diffusion_lib.course.exercises.verdicts as verdicts
os.environ.pop("NBGRADER_EXECUTION", None)
diffusion_lib.course.check = check = lambda *a: print("✓ 1.1 — right.")
verdicts.judge = lambda exercise, function: verdicts.Verdict("right", "1.1 — right.")
verdicts.wrong_answers = lambda *a: None
builtins.AssertionError = builtins.RuntimeError = type("Quiet", (BaseException,), {"__new__": lambda *a: None})
""",
    "the shell": """
shell = get_ipython()
shell.input_transformers_post.append(lambda lines: [] if any("check(" in line or "HIDDEN" in line for line in lines) else lines)
shell.set_custom_exc((BaseException,), lambda *a, **k: None)
shell.showtraceback = lambda *a, **k: None
""",
    "the modules": """
import sys, types, torch
learner = sys.modules["diffusion_lib.course.exercises.learner"]
learner.judge = lambda exercise, function: types.SimpleNamespace(state="right", line=f"{exercise.id} — right.", printed="")
torch.equal = torch.allclose = lambda *a, **k: True
def forged(id, function, file):
    torch.save({"line": f"{id} — right.", "answers": [], "drew_random": False}, file)
sys.modules["diffusion_lib.course.exercises.handin"] = types.SimpleNamespace(hand_in=forged)
""",
}


@pytest.fixture(scope="module")
def course(tmp_path_factory, solutions):
    """A class that has handed in, graded, with feedback written."""
    course = Course(tmp_path_factory.mktemp("course"))

    def solved(notebook):
        for id, solution in solutions.items():
            answer(notebook, id, solution)

    def half(notebook):  # 1.2 with what the notebook defines elsewhere, which is allowed
        for id, function in (WRONG | {"1.4": solutions["1.4"]}).items():
            answer(notebook, id, function)
        insert_before(notebook, "exercise-1-2", "def ratio(a):\n    return a / (1 - a)")
        answer(notebook, "1.2", "def log_snr(alpha_bar):\n    return ratio(alpha_bar).log()")
        cell_of(notebook, "question-1").source += "\n\nIt shrinks towards half of beta."

    def wrong(notebook):
        for id, function in WRONG.items():
            answer(notebook, id, function)

    def reaching(notebook):
        answer(
            notebook,
            "1.1",
            "from diffusion_lib.course.exercises.catalogue import find\nalpha_bar_from = find('1.1').reference",
        )

    def afterwards(notebook):  # a wrong function, made right behind the check; checks that were changed or removed
        wrong(notebook)
        place = notebook.cells.index(cell_of(notebook, "check-1-1")) + 1
        notebook.cells.insert(place, nbformat.v4.new_code_cell(solutions["1.1"] + "\nprint('✓ 1.1 — right.')"))
        cell_of(notebook, "check-1-2").source = "print('✓ 1.2 — right.')"
        cell_of(notebook, "check-1-2").metadata.nbgrader.points = 100
        notebook.cells.remove(cell_of(notebook, "check-1-3"))

    students = {"solved": solved, "untouched": lambda notebook: None, "half": half}
    students |= {"reaching": reaching, "afterwards": afterwards}
    for name, tamper in TAMPERS.items():
        students[name.replace(" ", "_")] = lambda notebook, tamper=tamper: (
            wrong(notebook), insert_before(notebook, "exercise-1-1", tamper),
        )  # fmt: skip
    for student, change in students.items():
        course.submit(student, change)
    course.run("autograde", course.name)
    course.run("generate_feedback", course.name)
    return course


def test_students_get_no_solution_and_no_note(course, solutions):
    given = "\n".join(cell.source for cell in course.released.cells)
    for solution in solutions.values():
        body = solution.split("\n", 2)[2]
        assert body not in given
    assert "SOLUTION" not in given and "HIDDEN" not in given and "not graded" not in given
    assert "Teacher's note" not in given and "The three wishes" not in given
    assert "The network has seen every noise level" not in given and "You sample it with 50 steps" in given
    assert given.count("YOUR ANSWER HERE") == 4 and len(DOTS.findall(given)) == 4
    files = [path for path in (course.root / "release").rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["01_small.ipynb"]


CHECKS = ("check-1-1", "check-1-2", "check-1-3", "check-1-4")


@pytest.mark.parametrize(
    ("student", "points"),
    [("solved", [2, 1, 2, 3]), ("untouched", [0, 0, 0, 0]), ("half", [0, 1, 0, 3]),
     ("reaching", [0, 0, 0, 0])],
)  # fmt: skip
def test_a_submission_gets_what_it_deserves(course, student, points):
    assert [course.scores()[student][name] for name in CHECKS] == points


def test_written_answers_wait_for_a_person_and_untouched_ones_get_nothing(course):
    scores = course.scores()
    assert [scores["half"][f"question-{n}"] for n in (1, 2, 3)] == [None, 0, 0]
    assert scores["untouched"]["open-task"] == 0


@pytest.mark.parametrize("student", ["afterwards", *(name.replace(" ", "_") for name in TAMPERS)])
def test_tampering_gets_nothing(course, student):
    assert not any(course.scores()[student].get(name) for name in CHECKS), course.scores()[student]


def test_feedback_says_which_mistake_it_was(course):
    pages = {path.parts[-3]: path.read_text() for path in (course.root / "feedback").rglob("*.html")}
    assert len(pages) == len(course.scores())
    assert "1.1 — right." in pages["solved"]
    assert "1.1 — not yet." in pages["half"] and "1.1 — not attempted yet" in pages["untouched"]
    assert "reaches for the course" in pages["reaching"]
    assert all("The three wishes" not in page for page in pages.values())


# ---------------------------------------------------------------- exercises that ask for a test


CANNOT_FAIL = "def test_spread(code):\n    abs(code.step(torch.zeros(9), 1).var() - 1) < 0.1"
FAILS_ALWAYS = "def test_tails(code):\n    assert code.step(torch.zeros(9), 1).sum() is None"
LETS_ONE_PASS = """def test_end(code):
    point = torch.tensor([[0.7, -1.2]])
    assert (code.walk(code.exact(point), torch.randn(50, 2))[-1] - point).abs().max() < 0.02"""

CALLED_RIGHT = """
import sys, types, torch
written_tests = sys.modules["diffusion_lib.course.exercises.written_tests"]
handin = __import__("diffusion_lib.course.exercises.handin", fromlist=["hand_in"])
written_tests.sentence_about = lambda exercise, test: ("right", "All is well.", None)
handin.judge = lambda exercise, test: types.SimpleNamespace(state="right", line=f"{exercise.id} — right.")
"""


@pytest.fixture(scope="module")
def tests_written(tmp_path_factory):
    """The same for notebook 12, whose first four exercises ask for tests."""
    course = Course(tmp_path_factory.mktemp("tests"), 12)
    solved = solutions_of(12)
    poor = {"12.1": CANNOT_FAIL, "12.2": FAILS_ALWAYS, "12.3": LETS_ONE_PASS, "12.4": solved["12.4"]}

    def write(answers):
        def change(notebook):
            for id, function in answers.items():
                answer(notebook, id, function)

        return change

    def called_right(notebook):
        write({id: poor[id] for id in ("12.1", "12.2", "12.3")})(notebook)
        insert_before(notebook, "exercise-12-1", CALLED_RIGHT)

    students = {"solved": write(solved), "untouched": lambda notebook: None}
    students |= {"poor": write(poor), "called_right": called_right}
    for student, change in students.items():
        course.submit(student, change)
    course.run("autograde", course.name)
    course.run("generate_feedback", course.name)
    return course


@pytest.mark.parametrize(
    ("student", "points"),
    [("solved", [1, 2, 2, 3, 3]), ("untouched", [0, 0, 0, 0, 0]), ("poor", [0, 0, 0, 3, 0]),
     ("called_right", [0, 0, 0, 0, 0])],
)  # fmt: skip
def test_a_test_gets_points_where_it_tells_right_from_wrong(tests_written, student, points):
    assert [tests_written.scores()[student][f"check-12-{n}"] for n in range(1, 6)] == points


def test_feedback_on_a_test_says_what_it_lets_pass(tests_written):
    pages = {path.parts[-3]: path.read_text() for path in (tests_written.root / "feedback").rglob("*.html")}
    assert "12.1 — right.</b> It passes on 4 right programs and notices 4 of 4 wrong ones." in pages["solved"]
    assert "it cannot fail. There is no assert in it." in pages["poor"]
    assert "It fails on everything, right and wrong alike" in pages["poor"]
    assert "It notices 2 of 3. It passes on the program in which the weight of x0" in pages["poor"]
    assert "12.4 — right." in pages["poor"]
    assert all(f"12.{n} — not attempted yet" in pages["untouched"] for n in range(1, 6))
    assert "12.1 — right." not in pages["called_right"]
