"""Right answers spoilt at the edges of what an exercise allows: every one that changes the answer is refused.

A clip, a cast, a mean over the batch, a special case that goes wrong: a table of perturbations times exercises. One that
cannot change the answer of an exercise is listed with its reason, and must then be accepted.
"""

import pytest
import torch

from diffusion_lib.course.exercises.catalogue import catalogue, find
from diffusion_lib.course.exercises.verdicts import judge

ALL = [exercise for notebook in range(7) for exercise in catalogue(notebook).values()]
BY_ID = {exercise.id: exercise for exercise in ALL}


def is_floats(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim > 0


def on_parts(change):
    """A change of a tensor as one of a result, which may be a tuple or a number."""

    def changed(result):
        if isinstance(result, tuple):
            return tuple(change(torch.as_tensor(part)) for part in result)
        return change(torch.as_tensor(result))

    return changed


INPUTS = {
    "clipped to [-1, 1]": lambda x: x.clamp(-1, 1),
    "clipped to [0, 1]": lambda x: x.clamp(0, 1),
    "not below 0.01": lambda x: x.clamp(min=0.01),
    "made positive": torch.abs,
    "in half precision": lambda x: x.half().to(x.dtype),
    "in whole numbers": torch.trunc,
    "the batch's mean": lambda x: x.mean(0, keepdim=True).expand_as(x),
    "the first of the batch": lambda x: x[:1].expand_as(x),
    "sorted": lambda x: x.sort(0).values,
    "reversed": lambda x: x.flip(0),
}
RESULTS = {
    "clipped to [-1, 1]": lambda y: y.clamp(-1, 1),
    "clipped to [0, 1]": lambda y: y.clamp(0, 1),
    "clipped to [-3, 3]": lambda y: y.clamp(-3, 3),
    "made positive": torch.abs,
    "in half precision": lambda y: y.half().to(y.dtype),
    "in bfloat16": lambda y: y.bfloat16().to(y.dtype),
    "NaN as 0": torch.nan_to_num,
    "without dimensions of one": torch.squeeze,
    "no batch where it is one": lambda y: y[0] if y.ndim and len(y) == 1 else y,
    "the batch's mean": lambda y: y.mean(0, keepdim=True).expand_as(y) if y.ndim else y,
    "the first of the batch": lambda y: y[:1].expand_as(y) if y.ndim else y,
    "a thousandth of noise": lambda y: y + 1e-3 * torch.randn_like(y),
}


def spoilt_inputs(exercise, name, change):
    place = exercise.arguments.index(name)
    return lambda *args: exercise.reference(*args[:place], change(args[place]), *args[place + 1 :])


def spoilt_result(exercise, change):
    return lambda *args: on_parts(change)(exercise.reference(*args))


def changed_afterwards(exercise, name):
    """The right answer, but one input is another one when the function returns."""

    def answer(*args):
        result = on_parts(torch.clone)(exercise.reference(*args))
        with torch.no_grad():
            args[exercise.arguments.index(name)].add_(1)
        return result

    return answer


def table():
    """All perturbations, by exercise and name."""
    rows = {}
    for exercise in ALL:
        arguments = dict(zip(exercise.arguments, exercise.inputs(torch.Generator().manual_seed(0)), strict=True))
        for name, value in arguments.items():
            if is_floats(value):
                for label, change in INPUTS.items():
                    rows[exercise.id, f"{name} {label}"] = spoilt_inputs(exercise, name, change)
            if isinstance(value, torch.Tensor):
                rows[exercise.id, f"{name} changed in place"] = changed_afterwards(exercise, name)
        if exercise.observe is None:
            for label, change in RESULTS.items():
                rows[exercise.id, f"result {label}"] = spoilt_result(exercise, change)
    return rows


if __name__ == "__main__":
    for (id, label), answer in table().items():
        if judge(BY_ID[id], answer).state == "right":
            print((id, label))
