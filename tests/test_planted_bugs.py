"""The rows of `planted_bugs.py`: each line is where it says, a sample of the mistakes is noticed, and nothing else is."""

import dataclasses

import pytest
from planted_bugs import BUGS, ROOT, Copy, check_line

# every eighth row, less those whose tests take longest
SAMPLE = [bug for bug in BUGS if not {"sampling", "training"} & set(bug.tests.split())][::8]


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_each_line_is_there_once_and_the_wrong_one_differs(bug):
    check_line(bug, (ROOT / "diffusion_lib" / bug.file).read_text())
    assert bug.wrong != bug.right


def test_every_known_mistake_has_a_row():
    assert {bug.number for bug in BUGS} >= set(range(1, 31))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("copy"))


@pytest.mark.parametrize("bug", SAMPLE, ids=str)
def test_a_sample_is_noticed(bug, copy):
    assert copy.plant(bug), f"no test of {bug.tests} notices"


def test_no_change_is_no_mistake_and_an_error_is_not_a_failed_test(copy):
    bug = next(bug for bug in BUGS if bug.file == "predictions.py")
    assert copy.plant(dataclasses.replace(bug, wrong=bug.right + "  # a comment")) == []
    with pytest.raises(RuntimeError, match="pytest ended with 2 and no failed test"):
        copy.plant(dataclasses.replace(bug, wrong="return sigma /"))
    with pytest.raises(ValueError, match="0 times, not once"):
        copy.plant(dataclasses.replace(bug, right="no such line"))
