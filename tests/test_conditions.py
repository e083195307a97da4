"""Conditions: what cannot be joined, chosen between or left free is refused."""

import pytest
import torch

from diffusion_lib import conditions


def test_conditions_of_other_parts_are_refused():
    one, two = {"a": torch.zeros(2)}, {"a": torch.ones(2), "b": torch.ones(2)}
    for first, second in ((one, two), (two, one)):
        with pytest.raises(ValueError, match=r"conditions have parts \['a'.*: give all the same parts"):
            conditions.join(first, second)
        with pytest.raises(ValueError, match=r"conditions have parts \['a'.*: give all the same parts"):
            conditions.where(torch.tensor([True, False]), first, second)
    joined = conditions.join(two, {"b": torch.zeros(1), "a": torch.ones(1)})  # their order does not matter
    assert joined["a"].tolist() == [1, 1, 1] and joined["b"].tolist() == [1, 1, 0]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool], ids=str)
def test_labels_that_hold_no_minus_one_are_refused(dtype):
    for refuse in (conditions.null_labels, lambda labels: conditions.check_labels(labels, 10)):
        with pytest.raises(ValueError, match=rf"labels are {dtype}, which holds no -1 .*: pass labels.long\(\)"):
            refuse(torch.zeros(3, dtype=dtype))
    assert conditions.null_labels(torch.zeros(3, dtype=torch.int8)).tolist() == [-1, -1, -1]
