"""`yours`: a notebook goes on with the function that a learner wrote, once its check said that it is right."""

import pytest
import torch

from diffusion_lib.course import check, yours
from diffusion_lib.course.exercises import learner


@pytest.fixture(autouse=True)
def nothing_handed_in(monkeypatch):
    monkeypatch.setattr(learner, "_right", {})
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.delenv("DIFFUSION_EXERCISES", raising=False)


def right(alpha_bar):
    return torch.logit(alpha_bar)


def wrong(alpha_bar):
    return alpha_bar.log()


def stub(alpha_bar): ...


def test_it_is_the_function_that_was_right_and_no_other(capsys):
    assert yours("1.2") is None
    check("1.2", stub)
    check("1.2", wrong)
    assert yours("1.2") is None
    check("1.2", right)
    assert yours("1.2") is right and yours("1.1") is None


def test_a_function_that_became_wrong_is_used_no_more(capsys):
    check("1.2", right)
    check("1.2", wrong)
    assert yours("1.2") is None


def test_an_exercise_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"there is no exercise '1\.9'"):
        yours("1.9")
