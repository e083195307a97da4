"""Answers as learners write them: right ones pass, each wrong one gets the sentence that is true of it.

The answers are in `exercise_answers/`; `python tests/exercise_answers` prints the counts.
"""

from collections import Counter

import pytest
from exercise_answers import function_of, kind, written_answers

from diffusion_lib.course.exercises.catalogue import catalogue, find, notebooks
from diffusion_lib.course.exercises.verdicts import judge

ANSWERS = written_answers()
IDS = [id for notebook in notebooks() for id in catalogue(notebook)]


@pytest.mark.parametrize("id", IDS)
def test_answers_are_judged_as_they_should(id):
    exercise, kinds = find(id), Counter()
    for written in (answer for answer in ANSWERS if answer.id == id):
        line = judge(exercise, function_of(exercise, written.body)).line
        if written.says is None:
            assert line.startswith(f"{id} — right."), written.body
            continue
        assert line.startswith(f"{id} — not yet. "), written.body
        assert written.says in line, (written.body, line)
        assert "cannot be read" not in line
        kinds[kind(exercise, line)] += 1
    told = 1 - kinds["not equal"] / kinds.total()
    assert told >= 0.85, f"{id}: {dict(kinds)}"


def test_there_are_answers_enough():
    wrong, right = (Counter(a.id for a in ANSWERS if (a.says is None) == fine) for fine in (False, True))
    assert set(IDS) == set(wrong) == set(right)
    assert min(wrong.values()) >= 15 and min(right.values()) >= 3
    assert len({(answer.id, answer.body) for answer in ANSWERS}) == len(ANSWERS) > 800


def test_nine_in_ten_wrong_answers_are_told_more_than_that_they_are_wrong():
    """From the sentences that the answers must get, which the test above holds to be those that they do get."""
    vague = [
        a for a in ANSWERS if a.says and ("random inputs" in a.says or "right numbers" in a.says or "no sum" in a.says)
    ]
    wrong = sum(answer.says is not None for answer in ANSWERS)
    assert len(vague) < 0.1 * wrong, f"{len(vague)} of {wrong}"
