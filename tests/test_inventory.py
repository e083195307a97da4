"""The concept inventory: its answers are right, its wrong answers are the named mistakes, nothing is given away."""

import json
import math
import re

import pytest
import torch

from diffusion_lib import cli, course, schedules
from diffusion_lib.course import progress
from diffusion_lib.course.concept_inventory import asking, gain, results
from diffusion_lib.course.concept_inventory.concepts import CONCEPTS, FORMS
from diffusion_lib.course.exercises.catalogue import find
from diffusion_lib.gaussians import GaussianMixture

NAMED = {concept.name: concept for concept in CONCEPTS}


@pytest.fixture(autouse=True)
def record(tmp_path, monkeypatch):
    """An empty record."""
    path = tmp_path / "progress.jsonl"
    monkeypatch.setenv("DIFFUSION_PROGRESS", str(path))
    monkeypatch.setattr(progress, "_unwritten", [])
    return path


def number(text):
    """The number in a choice: 59 %, $\\frac14$, −1, `0.2 * noise`."""
    if fraction := re.search(r"\\frac(\d)\{?(\d+)", text):
        return int(fraction[1]) / int(fraction[2])
    found = re.search(r"−?\d+(\.\d+)?", text)[0].replace("−", "-")
    return float(found) / (100 if "%" in text else 1)


# ---------------------------------------------------------------- the questions


def test_sixteen_concepts_each_in_two_forms_with_four_choices():
    assert len(NAMED) == len(CONCEPTS) == 16
    for concept in CONCEPTS:
        assert len(set(concept.mistakes)) == 3
        assert concept.a.text != concept.b.text
        for form in FORMS:
            assert len(set(concept.form(form).choices)) == 4
            assert concept.form(form).choices[concept.form(form).place] == concept.form(form).right
        for id in concept.exercises:
            assert find(id).mistakes


@pytest.mark.parametrize("form", FORMS)
def test_the_right_choice_is_as_often_at_each_place(form):
    """Else somebody who always takes the second would know more than chance."""
    assert [sum(c.form(form).place == place for c in CONCEPTS) for place in range(4)] == [4, 4, 4, 4]
    longest = sum(max(c.form(form).choices, key=len) == c.form(form).right for c in CONCEPTS)
    assert longest <= 7  # so that the longest is no hint: 4 would be chance


@pytest.mark.parametrize("core", range(1, 7))
def test_each_core_notebook_is_asked_about(core):
    assert sum(concept.notebook == core for concept in CONCEPTS) >= 2


# For each concept whose choices are numbers: the right one, and what each mistake computes, in both forms.
COMPUTED = {
    "deviation": [(v**0.5, v, v**2, 1 - v) for v in (0.04, 0.25)],
    "shares": [((1 - b) ** n, 1 - n * b, 1 - b, b**n) for b, n in ((0.1, 5), (0.2, 4))],
    "independent noises": [((n * v**0.5) ** 2, n * v, v, n * v**0.5) for n, v in ((100, 0.01), (25, 0.04))],
    "noise and picture": [
        ((x - s * e) / a, x - s * e, x - e, (x - e) / a) for a, s, x, e in ((0.6, 0.8, 1.4, 1), (0.8, 0.6, 1.1, 0.5))
    ],
    "average of noises": [(n * f**2, 1, n, n * f**4) for n, f in ((2, 1 / 2), (4, 1 / 4))],
}


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("form", [0, 1])
def test_the_numbers_are_those_of_the_right_formula_and_of_the_mistakes(name, form):
    asked = (NAMED[name].a, NAMED[name].b)[form]
    for choice, value in zip((asked.right, *asked.wrong), COMPUTED[name][form], strict=True):
        assert number(choice) == pytest.approx(value, rel=0.02, abs=1e-9), choice


@pytest.mark.parametrize(("form", "steps"), [("A", 50), ("B", 100)])
def test_fewer_steps_leave_what_is_said(form, steps):
    asked = NAMED["fewer steps"].form(form)
    left = schedules.LinearBeta(timesteps=steps, start=1e-4, end=0.02).alpha_bar(1.0)
    assert number(asked.right) == pytest.approx(float(left), abs=0.01)
    assert number(asked.wrong[1]) == pytest.approx(1 - steps / 1000)
    assert schedules.LinearBeta(timesteps=1000, start=1e-4, end=0.02).alpha_bar(1.0) < 1e-4


@pytest.mark.parametrize(("mean", "deviation", "left"), [(5.0, 1.0, 0.6), (-0.8, 0.5, 0.3)])
def test_a_wrong_start_pulls_the_mean_towards_that_of_the_noise(mean, deviation, left):
    """The flow between Gaussians is the one map that keeps their quantiles."""
    spread = (left * deviation**2 + 1 - left) ** 0.5
    samples = mean - left**0.5 * mean * deviation / spread
    assert min(0, mean) < samples < max(0, mean) and abs(samples) > 0.1


@pytest.mark.parametrize("variances", [(1.0, 4.0), (1.0, 9.0)])
def test_the_kl_is_positive_both_ways_and_differs(variances):
    q, p = variances
    ways = [0.5 * (math.log(b / a) + a / b - 1) for a, b in ((q, p), (p, q))]
    assert min(ways) > 0.1 and abs(ways[0] - ways[1]) > 0.1


@pytest.mark.parametrize(("data", "form"), [((-1.0, 1.0), "A"), ((-3.0, 1.0), "B")])
def test_the_best_guess_is_the_mean(data, form):
    mixture = GaussianMixture(torch.tensor([0.5, 0.5]), torch.tensor(data)[:, None], torch.tensor([1e-6, 1e-6]))
    best = float(mixture.mean)
    assert best == pytest.approx(number(NAMED["best guess"].b.right) if form == "B" else 0)  # 0 is grey


@pytest.mark.parametrize(("keep", "updates", "form"), [(0.999, 100, "A"), (0.99, 5, "B")])
def test_what_is_left_of_the_start_of_a_moving_average(keep, updates, form):
    asked = NAMED["moving average"].form(form)
    assert number(asked.right) == pytest.approx(keep**updates, abs=0.01)
    assert number(asked.wrong[0]) == pytest.approx(1 - keep)


@pytest.mark.parametrize(("noise", "steps"), [(0.02, 100), (1.0, 60)])
def test_a_step_back_is_more_certain_than_one_forward(noise, steps):
    before = noise * (steps - 1)  # the variance of all steps before the last
    assert 0 < 1 / (1 / before + 1 / noise) < noise


# ---------------------------------------------------------------- asked


def widgets(form, when):
    return [asking.question(n, concept, form, when) for n, concept in enumerate(CONCEPTS, 1)]


def give(widget, choice, sure="sure"):
    widget._on_message(widget, {"given": {"answer": choice, "sure": sure}}, [])


def test_inventory_shows_each_question_in_turn(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    course.inventory("B")
    assert [widget._question["label"] for widget in shown] == [f"Question {n} of 16" for n in range(1, 17)]
    assert [widget._question["id"] for widget in shown[:2]] == ["B1-after", "B2-after"]
    assert callable(course.inventory)  # also once its package is loaded


@pytest.mark.parametrize(
    ("options", "message"),
    [(("C",), "form='C' is none"), (("A", "tomorrow"), "when='tomorrow' is no occasion: write one of 'before'")],
)
def test_another_form_or_occasion_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        course.inventory(*options)


@pytest.mark.parametrize("form", FORMS)
def test_no_answer_is_given_away(form):
    for concept, widget in zip(CONCEPTS, widgets(form, "before"), strict=True):
        assert widget._question["answer"] is None and not widget._question["because"]
        data = widget._repr_mimebundle_()[0]
        assert "<details>" not in data["text/markdown"] and "Answer" not in data["text/markdown"]
        assert all(mistake not in json.dumps(widget._question) for mistake in concept.mistakes)
        give(widget, concept.form(form).right)
    for widget in widgets(form, "before"):
        assert set(widget._answers[0]) == {"answer", "sure"}


def test_the_first_answer_of_an_occasion_counts(record):
    concept = CONCEPTS[0]
    asked = widgets("A", "before")[0]
    assert not record.exists()
    give(asked, concept.a.wrong[0])
    give(asked, concept.a.right)
    give(asked, "another")
    give(widgets("A", "later")[0], concept.a.right)
    give(widgets("B", "after")[0], concept.b.right)
    assert results.mine() == {
        "before": {"deviation": False},
        "after": {"deviation": True},
        "later": {"deviation": True},
    }
    assert len(record.read_text().splitlines()) == 4
    assert widgets("A", "before")[0]._answers == [{"answer": concept.a.wrong[0], "sure": "sure"}]


# ---------------------------------------------------------------- counted


def learner(before, after):
    return {
        when: {concept.name: bool(right) for concept, right in zip(CONCEPTS, rights, strict=False)}
        for when, rights in (("before", before), ("after", after))
    }


def test_the_gain_is_the_part_of_what_could_be_gained():
    learners = [learner([0], [1]), learner([0], [0]), learner([1], [1]), learner([0], [1])]
    first = gain.gains(learners)[0]
    assert (first.learners, first.before, first.after) == (4, 0.25, 0.75)
    assert first.gain == pytest.approx((0.75 - 0.25) / (1 - 0.25))
    assert str(first) == f"deviation             25% →  75%   +0.67 ± {first.error:.2f}   (4)"
    assert gain.gains(learners)[-1].gain == first.gain and gain.gains(learners)[1].learners == 0


def test_what_cannot_be_told_is_not_told():
    nothing, alone = gain.gains([learner([1], [1]), learner([1], [0])])[0], gain.gains([learner([0], [1])])[0]
    assert nothing.gain is None and "nothing to gain" in str(nothing)
    assert alone.gain == 1 and alone.error is None
    assert gain.gains([{"before": {"deviation": True}}])[0].learners == 0


def test_the_error_is_that_of_many_classes():
    """The jackknife's error against the spread of the gain over simulated classes."""
    generator = torch.Generator().manual_seed(0)
    found, errors = [], []
    for _ in range(300):
        before = torch.rand(30, generator=generator) < 0.3
        after = before & (torch.rand(30, generator=generator) < 0.9)
        after = after | (~before & (torch.rand(30, generator=generator) < 0.5))
        one = gain.gains([learner([b], [a]) for b, a in zip(before.tolist(), after.tolist(), strict=True)])[0]
        found.append(one.gain)
        errors.append(one.error)
    spread = torch.tensor(found).std()
    assert torch.tensor(errors).mean() == pytest.approx(
        float(spread), rel=0.15
    )  # 300 classes: 4 % of chance, and a bias


def test_an_export_holds_rights_and_wrongs_and_nothing_else(tmp_path, capsys):
    assert cli.main(["inventory", "--export", str(tmp_path / "mine.json")]) == 2
    assert "nothing of the inventory is answered" in capsys.readouterr().err
    give(widgets("A", "before")[0], CONCEPTS[0].a.wrong[2])
    give(widgets("B", "after")[0], CONCEPTS[0].b.right)
    assert cli.main(["inventory"]) == 0
    out = capsys.readouterr().out
    assert "before: 1 of 16 concepts answered\nafter: 1 of 16" in out and "later: 0 of 16" in out
    assert cli.main(["inventory", "--export", str(tmp_path / "mine.json")]) == 0
    content = json.loads((tmp_path / "mine.json").read_text())
    assert content == {
        "diffusion concept inventory": 1,
        "learners": [{"before": {"deviation": 0}, "after": {"deviation": 1}}],
    }


def test_a_class_is_counted_and_merged(tmp_path, capsys):
    files = [tmp_path / f"{n}.json" for n in range(6)]
    for n, file in enumerate(files):
        results.write(file, [learner([n < 2, 0], [n < 4, 0])])
    capsys.readouterr()
    assert cli.main(["inventory", "--gain", *map(str, files), "--merge", str(tmp_path / "class.json")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("6 learners.") and re.search(r"deviation +33% → +67%   \+0\.50 ± 0\.30   \(6\)", out)
    assert re.search(r"shares +0% → +0%   \+0\.00 ± 0\.00   \(6\)", out) and "nobody answered it twice" in out
    assert cli.main(["inventory", "--gain", str(tmp_path / "class.json")]) == 0
    assert capsys.readouterr().out == out
    assert len(results.read(tmp_path / "class.json")) == 6
    assert cli.main(["inventory", "--later"]) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "is no export of the inventory"),
        ("[1]", "is no export"),
        ('{"diffusion concept inventory": 2, "learners": []}', "is of edition 2"),
        ('{"diffusion concept inventory": 1, "learners": [{"before": {"another": 1}}]}', "compare like with like"),
    ],
)
def test_a_file_that_is_none_is_named(content, message, tmp_path, capsys):
    (tmp_path / "x.json").write_text(content)
    assert cli.main(["inventory", "--gain", str(tmp_path / "x.json")]) == 2
    assert message in capsys.readouterr().err
