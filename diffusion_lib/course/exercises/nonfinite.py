"""Where a NaN or an infinity comes from: the first operation that makes one out of finite numbers.

The learner's function runs once more, with every call into torch watched (`torch.overrides.TorchFunctionMode`).
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .running import learners_line, run_calls


@dataclass(frozen=True)
class Origin:
    """What went wrong, in words, and the learner's line in which it did."""

    what: str
    line: int | None = None
    source: str = ""


def origin_of_nonfinite(function: Callable, arguments: Callable[[], tuple], seconds: float) -> Origin | None:
    """The first operation of the function that makes a NaN or an infinity of finite numbers.

    An origin that says so if no operation does; None if the function did not come to its end.
    """
    watch = _Watch()

    def watched(*values: Any) -> Any:
        with watch:
            return function(*values)

    outcome = run_calls(watched, [arguments], lambda arguments, result: None, seconds)
    if watch.origin is None and outcome.results:
        return Origin("no operation of torch made it out of finite numbers, so it was put in as such")
    return watch.origin


class _Watch(TorchFunctionMode):
    """Looks at what goes into each torch function, and at what comes out of it."""

    def __init__(self) -> None:
        super().__init__()
        self.origin: Origin | None = None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        values = [_copied(value) for value in _flat(args)] if self.origin is None else []
        result = function(*args, **(kwargs or {}))
        if self.origin is None and _broken(result) and not any(map(_broken, values)):
            name = getattr(function, "__name__", "").strip("_")
            line, source = learners_line(sys._getframe(1))
            self.origin = Origin(_in_words(name, values, result), line, source)
        return result


def _copied(value: Any) -> Any:
    """A tensor as it is now: an operation in place changes it."""
    return value.detach().clone() if isinstance(value, Tensor) and value.layout is torch.strided else value


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value


def _broken(value: Any) -> bool:
    if isinstance(value, float):
        return value != value or abs(value) == float("inf")
    ordinary = isinstance(value, Tensor) and value.layout is torch.strided and value.device.type != "meta"
    return ordinary and value.is_floating_point() and not bool(value.isfinite().all())


def _in_words(name: str, values: list, result: Any) -> str:
    """What the operation of that name did, as the end of a sentence that begins with "there"."""
    numbers = [torch.as_tensor(value) for value in values if isinstance(value, Tensor | float | int)]
    first = numbers[0] if numbers else torch.ones(())
    second = numbers[1] if len(numbers) > 1 else torch.ones(())
    if name in ("rtruediv", "rdiv", "reciprocal"):
        name, first, second = "div", second if len(numbers) > 1 else torch.ones(()), first
    if name in ("rpow",):
        name, first, second = "pow", second, first
    if name in ("sqrt", "sqrt_", "rsqrt") and (first < 0).any():
        return "the square root of a negative number is taken"
    if name == "rsqrt":
        return "something is divided by 0"
    if name.startswith("log"):
        least = -1 if name.startswith("log1p") else 0
        if (first < least).any():
            return "the logarithm of a negative number is taken"
        return "the logarithm of 0 is taken"
    if name in ("div", "div_", "truediv", "itruediv", "true_divide", "divide"):
        nothing = first.eq(0).logical_and(second.eq(0)) if _fit(first, second) else torch.zeros(1)
        return "0 is divided by 0" if nothing.any() else "a number is divided by 0"
    if name in ("pow", "pow_", "ipow", "float_power"):
        if (
            _fit(first, second)
            and (first.lt(0) & second.frac().ne(0) if second.is_floating_point() else first.lt(0)).any()
        ):
            return "a negative number is raised to a broken power, such as a root"
        if (first == 0).any():
            return "0 is raised to a negative power"
    if name in ("acos", "asin", "arccos", "arcsin", "acos_", "asin_", "atanh"):
        return f"{name.strip('_')} is taken of a number beyond [-1, 1]"
    if name in ("std", "var"):
        return f"the {name} of a single number is taken, which divides by 0"
    if name in ("mean", "nanmean") and first.numel() == 0:
        return "the mean of no numbers at all is taken"
    if name.startswith("exp") or name in ("sinh", "cosh"):
        return f"{name.strip('_')} is taken of a number so large that the result is infinite"
    return f"`{name}` makes it out of finite numbers" if name else "it is made out of finite numbers"


def _fit(first: Tensor, second: Tensor) -> bool:
    try:
        torch.broadcast_tensors(first, second)  # torch.broadcast_shapes would import sympy
    except RuntimeError:
        return False
    return True
