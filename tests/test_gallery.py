"""The bug gallery: every bug is one line, every number tells the broken program from the right one, the notebook shows it."""

import ast
import json
import re
from pathlib import Path

import matplotlib
import pytest
import torch
from bs4 import BeautifulSoup

from diffusion_lib import schedules
from diffusion_lib.course import gallery
from diffusion_lib.course.gallery import code as programs
from diffusion_lib.course.gallery import rooms as shown_rooms
from diffusion_lib.course.gallery.bug import Bug, Measured
from diffusion_lib.course.gallery.rooms import figures
from diffusion_lib.course.gallery.sets import blobs, digits
from diffusion_lib.course.questions.catalogue import catalogue
from diffusion_lib.denoisers import Empirical
from diffusion_lib.sampling import walk

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "12_the_bug_gallery.ipynb"
ROOMS = range(1, len(gallery.BUGS) + 1)


def cells(kind="code"):
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("room", ROOMS)
def test_one_line_is_there_once_and_the_wrong_one_differs(room):
    bug = gallery.bug(room)
    text = gallery.text_of(bug.program)
    assert text.count(bug.right) == 1
    right, wrong = text.splitlines(), gallery.broken(room).text.splitlines()
    if bug.wrong:
        assert len(right) == len(wrong)
        assert sum(a != b for a, b in zip(right, wrong, strict=True)) == 1
    else:
        assert len(wrong) == len(right) - 1
    ast.parse(gallery.broken(room).text)


@pytest.mark.parametrize("room", ROOMS)
def test_the_number_tells_the_broken_program_from_the_right_one(room):
    """With four seeds each: 4 standard errors are exceeded by chance once in 16 000 times."""
    bug = gallery.bug(room)
    for seed in range(2 if bug.program == "training" else 4):
        right, wrong = bug.measured(bug.right_code(), seed), bug.measured(bug.code(), seed)
        assert not right.wrong and wrong.wrong, (seed, right, wrong)


def test_every_known_mistake_has_a_room():
    assert {bug.row for bug in gallery.BUGS} == set(range(1, 31))


@pytest.mark.parametrize("room", [1, 2, 3, 5, 6, 8, 15, 20, 21, 26, 27, 28])
def test_a_symptom_differs_from_the_right_picture(room, monkeypatch):
    """The two halves of the figure are drawn from the same random numbers, and are not the same."""
    shown = []
    monkeypatch.setattr(figures, "show", lambda figure, alt: shown.append((figures.png(figure, alt), figure, alt)))
    gallery.symptom(room)
    ((_, figure, alt),) = shown
    assert len(figure.axes) == 2 and [axes.get_title(loc="left") for axes in figure.axes] == [
        "the right code",
        f"room {room}",
    ]
    assert alt.endswith(".") and "Right:" in alt and "Broken:" in alt
    drawn = []
    for axes in figure.axes:
        canvas = matplotlib.transforms.Bbox.from_extents(axes.get_tightbbox().extents)
        pieces = [line.get_xydata().tolist() for line in axes.lines] + [
            image.get_array().tolist() for image in axes.images
        ]
        pieces += [patch.get_height() for patch in axes.patches] + [c.get_offsets().tolist() for c in axes.collections]
        assert canvas.width > 0
        drawn.append(pieces)
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("room", [2, 16, 28, 30])
def test_the_lines_are_named_once_beside_the_curves(room, monkeypatch):
    shown = []
    monkeypatch.setattr(figures, "show", lambda figure, alt: shown.append((figures.png(figure, alt), figure)))
    gallery.symptom(room, width=6.0)
    ((_, figure),) = shown
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 2 and all(axes.get_legend() is None for axes in figure.axes)
    assert not any(legend.get_window_extent().overlaps(axes.get_window_extent()) for axes in figure.axes)


def test_every_picture_has_a_description():
    for bug in gallery.BUGS:
        assert (bug.draw is None) == (bug.alt == ""), bug.name
        assert bug.draw is None or re.fullmatch(r".+\. Right: .+\. Broken: .+\.", bug.alt), bug.alt


def test_a_room_that_is_none_and_a_room_without_a_picture_are_refused():
    for room in (0, 99, "1", True, 1.0):
        with pytest.raises(ValueError, match="the gallery has the rooms 1 to"):
            gallery.bug(room)
    with pytest.raises(ValueError, match=r"number\(12\) prints its number"):
        gallery.symptom(12)


def test_a_line_that_is_not_there_once_is_refused():
    with pytest.raises(ValueError, match=r"tiny\.py has 'alpha_bar' \d+ times, not once"):
        gallery.load("tiny", [("alpha_bar", "beta")])
    with pytest.raises(ValueError, match=r"0 times, not once"):
        gallery.load("tiny", [("no such line", "")])
    with pytest.raises(ValueError, match="there is no program 'huge': give one of more, tiny, training"):
        gallery.load("huge")


def test_a_number_that_does_not_tell_them_apart_is_an_error(monkeypatch):
    same = Bug(1, "none", "tiny", "gaussian(x0)", "gaussian(x0)  # the same", "zero", lambda code: Measured(0.0, 0.0))
    monkeypatch.setattr("diffusion_lib.course.gallery.rooms.BUGS", (same,))
    monkeypatch.setattr(Bug, "measurement", lambda self: "")
    with pytest.raises(AssertionError, match="does not tell the two apart"):
        gallery.number(1)


@pytest.mark.parametrize(
    ("measured", "wrong", "text"),
    [
        (Measured(1.0, 1.0), False, "1"),
        (Measured(1.0, 0.0, error=0.3), False, "1.00 ± 0.30"),
        (Measured(1.0, 0.0, error=0.2), True, "1.00 ± 0.20"),
        (Measured(0.4, 0.0, within=0.5), False, "0.4"),
        (Measured(0.6, 0.0, within=0.5), True, "0.6"),
        (Measured(float("nan"), 0.0, within=9.0), True, "nan"),
        (Measured(float("inf"), 0.0, within=9.0), True, "inf"),
        (Measured(3e-7, 0.0, within=1e-4), False, "less than 0.00001"),
    ],
)
def test_what_is_wrong_and_how_it_is_written(measured, wrong, text):
    assert measured.wrong is wrong and str(measured) == text


def test_a_change_is_shown_below_the_head_of_its_function():
    assert gallery.bug(2).difference().splitlines() == [
        "  def step(x, i):",
        "✓     return (1 - beta[i]).sqrt() * x + beta[i].sqrt() * gaussian(x)",
        "✗     return (1 - beta[i]).sqrt() * x + beta[i] * gaussian(x)",
    ]
    assert gallery.bug(35).difference().splitlines()[-2:] == [
        "✓         optimizer.zero_grad()",
        "✗     (this line is missing)",
    ]


def test_an_answer_is_printed_in_a_terminal_and_folded_in_a_notebook(monkeypatch, capsys):
    gallery.reveal(2)
    printed = capsys.readouterr().out
    assert printed.startswith("Room 2: a variance where") and "room 2           0.1920 ± 0.0100" in printed
    shown = []
    monkeypatch.setattr(shown_rooms, "_in_a_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    gallery.reveal(2)
    gallery.change(28)
    assert capsys.readouterr().out == ""
    assert shown[0]["text/plain"] + "\n" == printed
    page = BeautifulSoup(shown[0]["text/html"], "html.parser")
    assert page.details.summary.get_text() == "Room 2: the line, and the number that notices it"
    assert not page.details.has_attr("open") and page.pre.get_text() + "\n" == printed
    assert [mark.get_text() for mark in page.find_all("b")] == ["✓", "✗"]
    assert "<" not in BeautifulSoup(shown[1]["text/html"], "html.parser").summary.get_text()


@pytest.mark.parametrize("room", range(1, 13))
def test_a_measurement_that_is_shown_fits_the_page(room):
    assert max(map(len, gallery.bug(room).measurement().splitlines())) <= 100


@pytest.mark.parametrize("room", [2, 3, 18, 33])
def test_both_pictures_have_one_scale(room, monkeypatch):
    shown = []
    monkeypatch.setattr(figures, "show", lambda figure, alt: shown.append([a.get_ylim() for a in figure.axes[:2]]))
    gallery.symptom(room)
    assert shown[0][0] == shown[0][1]


def test_measuring_leaves_the_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.randn(2)
    torch.manual_seed(3)
    gallery.bug(2).measured(gallery.broken(2))
    assert torch.equal(torch.randn(2), expected)


def test_the_right_program_is_the_packages():
    """Its table, its posterior and its exact guess are those of the package."""
    tiny = gallery.load("tiny")
    q = schedules.Discrete(tuple(tiny.beta[1:].tolist()))
    x, x0 = torch.randn(2, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    guess, exact = tiny.exact(blobs(50).double()), Empirical(blobs(50).double(), q)
    for i in (1, 2, 50, 100):
        torch.testing.assert_close(tiny.alpha_bar[i].item(), float(q.alpha_bar(i / 100)))
        there = q.posterior(x, x0, (i - 1) / 100, i / 100)
        mean, var = tiny.posterior(x, x0, i)
        torch.testing.assert_close(mean, there.mean)
        torch.testing.assert_close(var.item(), float(there.var.flatten()[0]), atol=1e-12, rtol=1e-7)
        torch.testing.assert_close(guess(x, i), exact(x, i / 100).x0, atol=1e-6, rtol=1e-6)
    ends = tiny.short_walk(guess, x, 20)[-1]
    *_, theirs = walk(exact, x, [i / 100 for i in tiny.timesteps(20)], "ddim")
    torch.testing.assert_close(ends, theirs.x, atol=1e-5, rtol=1e-5)


# ---------------------------------------------------------------- what speaks against a wrong cause


def test_every_wrong_cause_is_told_what_speaks_against_it():
    asked = [question for question in catalogue(12).values() if question.choices]
    assert len(asked) >= 11
    for question in asked:
        assert len(question.why_not) == len(question.choices) - 1
        assert all(reason[0].isupper() and reason[-1] == "." for reason in question.why_not.values())


def walked(*changes):
    torch.manual_seed(0)
    code = gallery.load("tiny", changes)
    samples = code.walk(code.exact(blobs()), torch.randn(400, 2))[-1]
    return samples, torch.cdist(samples, blobs()).min(1).values


def chained(*changes):
    torch.manual_seed(0)
    code, x = gallery.load("tiny", changes), torch.ones(20000)
    for i in range(1, code.T + 1):
        x = code.step(x, i)
    return x.mean().item(), x.var().item()


def test_what_is_said_against_the_causes_of_the_noise_is_true():
    tiny, uniform = gallery.load("tiny"), gallery.load("tiny", [("torch.randn_like(x)", "torch.rand_like(x)")])
    torch.manual_seed(0)
    means = uniform.jump(digits()[:8].repeat(500, 1, 1), 100).mean(0)  # room 1: "one lighter grey, and no digit"
    assert abs(means.mean() - 0.5) < 0.01 and means.std() < 0.03
    assert abs(tiny.alpha_bar[100].sqrt() - 0.0045) < 5e-5 and abs(tiny.alpha_bar[99].sqrt() - 0.0050) < 6e-5
    assert chained((gallery.bug(1).right, gallery.bug(1).wrong))[0] == pytest.approx(0.6, abs=0.02)
    assert chained((gallery.bug(3).right, gallery.bug(3).wrong))[1] == pytest.approx(1, abs=0.06)
    assert abs(chained((gallery.bug(2).right, gallery.bug(2).wrong))[0]) < 0.02
    x = (1 - uniform.alpha_bar[60]).sqrt() * uniform.gaussian(torch.empty(20000))
    back = uniform.ddim(x, torch.zeros(20000), 60, 40, eta=1.0)  # room 6: "narrow, and to the right of 0"
    assert back.mean() > 0.4 and back.var() < 0.2


def test_what_is_said_against_the_causes_of_the_way_back_is_true():
    tiny = gallery.load("tiny")
    right, _ = walked()
    late, _ = walked(("range(T, 0, -1)", "range(T - 1, 0, -1)"))  # room 4: "nobody would see a difference"
    torch.testing.assert_close(late.std(0), right.std(0), rtol=0.03, atol=0)
    _, early = walked(("range(T, 0, -1)", "range(T, 1, -1)"))  # room 7: "would lie on the blobs"
    assert early.max() < 4 * 0.0317 and (1 - tiny.alpha_bar[1]).sqrt() < 0.0317
    grainy, _ = walked((gallery.bug(5).right, gallery.bug(5).wrong))  # room 4: "draws nothing towards the middle"
    assert (grainy.std(0) > 0.99 * right.std(0)).all()
    crowded, near = walked((gallery.bug(4).right, gallery.bug(4).wrong))
    assert (crowded.std(0) < 0.9 * right.std(0)).all() and near.max() < 0.1
    _, far = walked((gallery.bug(7).right, gallery.bug(7).wrong))  # room 4: "between the blobs and not on them"
    assert far.max() > 0.5
    silent, _ = walked(("mean + var.sqrt() * gaussian(x)", "mean"))  # room 7: "within 0.02 of each other"
    assert torch.cdist(silent, silent).max() < 0.02


# ---------------------------------------------------------------- in the notebook


@pytest.mark.parametrize("program", ["tiny", "training", "more"])
def test_the_notebook_shows_the_programs_as_they_are(program):
    text = gallery.text_of(program).partition('"""\n')[2]
    text = re.sub(r"(?m)^from \..*\n", "", text).strip("\n")
    shown = [cell for cell in cells() if re.sub(r"\n{3,}", "\n\n", text) == re.sub(r"\n{3,}", "\n\n", cell)]
    assert len(shown) == 1
    assert (programs.PROGRAMS / f"{program}.py").is_file()


def test_the_notebook_visits_every_room():
    source = "\n".join(cells())
    for room in ROOMS:
        visited = [f"gallery.{name}({room})" in source for name in ("reveal", "number", "exhibit")]
        assert any(visited), room


def test_the_table_lists_every_room_beside_its_row():
    (table,) = (cell for cell in cells("markdown") if "### B. All thirty rows" in cell)
    rows = {}
    for line in re.findall(r"(?m)^\| (\d+) \| .*", table):
        rows[int(line)] = re.search(rf"(?m)^\| {line} \| [^|]+ \| ([\d, ]+) \|", table)[1]
    assert list(rows) == list(range(1, 31))
    for row, rooms in rows.items():
        assert sorted(map(int, rooms.split(","))) == [n for n in ROOMS if gallery.bug(n).row == row], row
