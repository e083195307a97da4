"""Exercises of notebook 13, one's own pictures: 13.1 a picture to a square, 13.2 is it a copy, 13.3 the resume.

13.2 measures copies as Gu et al. 2023 (section 2) and Yoon et al. 2023 do: by the distance to the nearest training
picture over that to the second nearest.
"""

import torch
from torch import nn
from torch.nn import functional as F

from .exercise import Exercise, Mistake
from .inputs import edges

# ---------------------------------------------------------------- 13.1


def _square(picture):
    """The largest square in the middle."""
    height, width = picture.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[:, top : top + side, left : left + side]


def _corner(picture):
    side = min(picture.shape[1:])
    return picture[:, :side, :side]


def _far_corner(picture):
    side = min(picture.shape[1:])
    return picture[:, -side:, -side:]


def _resized(picture, size, mode="bilinear", antialias=True):
    size = (size, size) if isinstance(size, int) else size
    return F.interpolate(picture[None], size=size, mode=mode, antialias=antialias)[0]


def _padded(picture):
    """All of the picture on a white square."""
    height, width = picture.shape[1:]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return F.pad(picture, (left, side - width - left, top, side - height - top), value=1.0)


def _middle(picture, size):
    """size × size pixels from the middle, as they are."""
    top, left = (picture.shape[1] - size) // 2, (picture.shape[2] - size) // 2
    return picture[:, top : top + size, left : left + size]


def _shorter_side_first(picture, size):
    height, width = picture.shape[1:]
    side = min(height, width)
    return _square(_resized(picture, (size * height // side, size * width // side)))


def fit(picture, size):
    return 2 * _resized(_square(picture), size) - 1


def _fit_with(cut=_square, resize=_resized, scale=lambda x: 2 * x - 1):
    return lambda picture, size: scale(resize(cut(picture), size))


def _picture_inputs(generator, size=None, tall=None):
    """A picture at least twice as large as the square that is asked for, with an even number of pixels to cut off."""
    if size is None:
        size = int(torch.randint(3, 7, (), generator=generator))
    side = 2 * size + int(torch.randint(1, 2 * size, (), generator=generator))
    more = 2 * int(torch.randint(2, 6, (), generator=generator))
    if tall is None:
        tall = bool(torch.rand((), generator=generator) < 0.5)
    shape = (side + more, side) if tall else (side, side + more)
    return torch.rand(3, *shape, generator=generator), size


FIT = Exercise(
    id="13.1",
    title="A picture to a square",
    reference=fit,
    inputs=_picture_inputs,
    edges=edges(_picture_inputs, {"size": 2}, {"size": 8}, {"tall": True}, {"tall": False}, {"size": 1}),
    mistakes=(
        Mistake(
            _fit_with(cut=lambda picture: picture),
            "The whole picture was pressed into a square, so everything in it is distorted: cut out the largest square "
            "in its middle first.",
        ),
        Mistake(_fit_with(cut=_corner), "The square is the one at the top left. Cut it from the middle."),
        Mistake(_fit_with(cut=_far_corner), "The square is the one at the bottom right. Cut it from the middle."),
        Mistake(
            _fit_with(cut=_padded),
            "You put the whole picture on a white square. That is another choice, with bars that the network will "
            "learn to draw; asked is the largest square in the middle.",
        ),
        Mistake(
            _fit_with(resize=lambda x, size: _resized(x, size, antialias=False)),
            "antialias=True is missing: without it most pixels of a large picture are passed over, and edges are "
            "jagged.",
        ),
        Mistake(
            _fit_with(resize=lambda x, size: _resized(x, size, "nearest", False)),
            "Only one pixel of each patch was kept (mode nearest): use mode bilinear with antialias=True.",
        ),
        Mistake(
            _fit_with(resize=lambda x, size: _resized(x, size, "bicubic")),
            "That is bicubic. It is a good choice, but it can leave [0, 1]; asked is bilinear.",
        ),
        Mistake(
            _fit_with(resize=lambda x, size: _resized(x, size, "area", False)),
            "That is the mean over patches (mode area). It is a good choice as well; asked is bilinear with "
            "antialias=True, so that numbers can be compared.",
        ),
        Mistake(
            _fit_with(resize=_middle),
            "You cut size × size pixels out of the middle: of a large picture that is a small part. Cut out the "
            "largest square, and resize it.",
        ),
        Mistake(
            lambda picture, size: 2 * _shorter_side_first(picture, size) - 1,
            "You resized first and cut then. That is what the loader does; here cut first, so that numbers can be "
            "compared.",
        ),
        Mistake(
            _fit_with(scale=lambda x: x),
            "The range is still [0, 1]. Noise has mean 0, and so should the pictures: go to [-1, 1].",
        ),
        Mistake(_fit_with(scale=lambda x: x - 0.5), "The range is [-0.5, 0.5]: it should be [-1, 1]."),
        Mistake(_fit_with(scale=lambda x: 2 * x), "The range is [0, 2]: subtract 1, so that it is [-1, 1]."),
        Mistake(_fit_with(scale=lambda x: x / 2 - 1), "Black is -1 now, but white is -0.5: multiply by 2."),
        Mistake(_fit_with(scale=lambda x: x / 2 + 0.5), "That is the way back, from [-1, 1] to [0, 1]."),
        Mistake(_fit_with(scale=lambda x: x - 1), "The range is [-1, 0]: multiply by 2 first."),
        Mistake(_fit_with(scale=lambda x: x / 127.5 - 1), "You divided by 127.5; the picture is in [0, 1] already."),
        Mistake(
            _fit_with(scale=lambda x: 2 * (x - x.min()) / (x.max() - x.min()) - 1),
            "Each picture was stretched by its own darkest and lightest pixel. Then a grey picture looks like a "
            "contrasty one: use the same 2 x - 1 for all.",
        ),
        Mistake(
            _fit_with(scale=lambda x: (x - x.mean()) / x.std()),
            "Each picture was given mean 0 and variance 1 of its own. Then nobody knows what white is: use 2 x - 1.",
        ),
        Mistake(
            lambda picture, size: fit(picture, size).transpose(1, 2),
            "Rows and columns have changed places: the picture lies on its side.",
        ),
        Mistake(lambda picture, size: fit(picture.flip(1), size), "The picture stands on its head."),
        Mistake(lambda picture, size: fit(picture.flip(2), size), "The picture is mirrored."),
        Mistake(
            lambda picture, size: fit(picture, size).flip(0),
            "Red and blue have changed places: the channels are in the opposite order.",
        ),
    ),
    hints=(
        "Three things in turn: the largest square in the middle, its size, its range.",
        "side = min(H, W), and (H - side) // 2 rows are above the square; F.interpolate takes a batch: picture[None].",
        "F.interpolate(square[None], size=(size, size), mode='bilinear', antialias=True)[0], then 2 x - 1.",
    ),
)


# ---------------------------------------------------------------- 13.2


def _distances(samples, pictures):
    # by subtraction, and not all differences at once: those of 161 emoji and 1449 others would fill 6 GB
    return torch.cdist(samples.flatten(1), pictures.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")


def nearest_two(samples, pictures):
    return _answer(_distances(samples, pictures))


def _answer(distances, second=1, first=0):
    ordered = distances.sort(dim=1).values
    return ordered[:, first], ordered[:, first] / ordered[:, second]


def _with(distances=_distances, answer=_answer):
    return lambda samples, pictures: answer(distances(samples, pictures))


def _near_inputs(generator, count=None, pictures=None, copied=False):
    """Samples and pictures in [-1, 1]; with `copied`, the first sample is one of the pictures."""
    count = int(torch.randint(2, 6, (), generator=generator)) if count is None else count
    pictures = int(torch.randint(5, 9, (), generator=generator)) if pictures is None else pictures
    real = 2 * torch.rand(pictures, 3, 4, 4, generator=generator) - 1
    samples = 2 * torch.rand(count, 3, 4, 4, generator=generator) - 1
    near = real[torch.randint(pictures, (count,), generator=generator)]
    samples = samples.lerp(near, 0.7 * torch.rand(count, 1, 1, 1, generator=generator))
    if copied:
        samples[0] = real[-1]
    return samples, real


NEAREST = Exercise(
    id="13.2",
    title="Is it a copy?",
    reference=nearest_two,
    inputs=_near_inputs,
    returns=("distance", "ratio"),
    edges=edges(
        _near_inputs, {"count": 1}, {"copied": True}, {"pictures": 3}, {"count": 1, "copied": True}, {"count": 9}
    ),
    mistakes=(
        Mistake(
            _with(lambda s, p: _distances(s, p).square()),
            "Those are squared distances, in both answers: take the root.",
        ),
        Mistake(
            _with(lambda s, p: _distances(s, p) / s[0].numel() ** 0.5),
            "That is the distance per pixel (a root mean square). Asked is the Euclidean distance, with a sum.",
        ),
        Mistake(
            _with(lambda s, p: _distances(s, p).square() / s[0].numel()),
            "That is the mean squared error. Asked is the Euclidean distance: a sum of squares, and its root.",
        ),
        Mistake(
            _with(lambda s, p: (s.flatten(1)[:, None] - p.flatten(1)[None]).abs().sum(2)),
            "You summed absolute differences. Asked is the Euclidean distance: squares, their sum, its root.",
        ),
        Mistake(
            _with(lambda s, p: (s.flatten(1)[:, None] - p.flatten(1)[None]).abs().amax(2)),
            "That is the largest difference of any pixel. Asked is the Euclidean distance over all of them.",
        ),
        Mistake(
            _with(lambda s, p: -_distances(s, p), lambda d: tuple(part.abs() for part in _answer(d))),
            "Those are the farthest pictures: sort from small to large, or topk(2, largest=False).",
        ),
        Mistake(
            _with(answer=lambda d: (_answer(d)[0], 1 / _answer(d)[1])),
            "The ratio is upside down: the nearest distance over the second nearest, so that a copy has 0.",
        ),
        Mistake(
            _with(answer=lambda d: (_answer(d)[0], d.sort(1).values[:, 1])),
            "The second answer is the second distance. Asked is the ratio of the two.",
        ),
        Mistake(
            _with(answer=lambda d: (_answer(d)[0], d.sort(1).values[:, 1] - d.sort(1).values[:, 0])),
            "The second answer is a difference. Asked is the ratio, which does not depend on the size of the pictures.",
        ),
        Mistake(
            _with(answer=lambda d: _answer(d, second=2)),
            "The ratio is to the third nearest picture; take the second.",
        ),
        Mistake(
            _with(answer=lambda d: (_answer(d)[0], _answer(d)[0] / d.mean(1))),
            "The ratio is to the mean distance. Asked is the distance to the second nearest picture.",
        ),
        Mistake(
            _with(answer=lambda d: (_answer(d)[0], _answer(d)[0] / d.amax(1))),
            "The ratio is to the farthest picture. Asked is the second nearest.",
        ),
        Mistake(
            _with(answer=lambda d: (_answer(d)[0], _answer(d)[1].square())),
            "The ratio is squared: divide the distances, not their squares.",
        ),
        Mistake(
            _with(answer=lambda d: _answer(d, first=1, second=2)),
            "You left out the nearest picture. That is right when the samples themselves are among the pictures; here "
            "they are not.",
        ),
        Mistake(
            _with(answer=lambda d: (d[:, 0], d[:, 0] / d[:, 1])),
            "Those are the first two pictures of the list, not the nearest two: sort the distances.",
        ),
        Mistake(
            lambda samples, pictures: nearest_two(pictures, samples),
            "Samples and pictures have changed places: asked is a number for each sample.",
        ),
        Mistake(
            _with(lambda s, p: _distances(s.mean(1), p.mean(1))),
            "You took the mean over the colours first, so red and blue of one brightness count as alike.",
        ),
        Mistake(
            _with(lambda s, p: _distances(s[:, :1], p[:, :1])),
            "You compared red alone: all three channels count.",
        ),
        Mistake(
            _with(answer=lambda d: _answer(d)[::-1]),
            "The two answers have changed places: first the distance, then the ratio.",
        ),
    ),
    hints=(
        "Flatten both to rows, take all distances at once, and look for the two smallest of each row.",
        "torch.cdist(samples.flatten(1), pictures.flatten(1)) is (B, M); topk(2, largest=False) finds the smallest.",
        "two = torch.cdist(…).topk(2, largest=False).values; return two[:, 0], two[:, 0] / two[:, 1].",
    ),
)


# ---------------------------------------------------------------- 13.3


class _Net(nn.Module):
    """A network that is only its weights."""

    def __init__(self, generator: torch.Generator, dim: int):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(dim, 2, generator=generator))
        self.offset = nn.Parameter(torch.randn(dim, generator=generator))


class _Optimizer:
    """What Adam remembers, one row of numbers a weight, behind the two methods that saving needs."""

    def __init__(self, generator: torch.Generator, dim: int):
        self.memory = torch.randn(3, dim, generator=generator)
        self.param_groups = [{"lr": 1e-3}]

    def state_dict(self) -> dict:
        return {"state": {0: {"exp_avg": self.memory.clone()}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}

    def load_state_dict(self, state: dict) -> None:
        if not isinstance(state, dict) or set(state) != {"state", "param_groups"}:
            raise KeyError("this is no state of an optimizer: it has the keys state and param_groups")
        self.memory = state["state"][0]["exp_avg"].clone()


def resume(net, average, optimizer, saved):
    return _resume(net, average, optimizer, saved)


def _resume(net, average, optimizer, saved, net_from="net", average_from="average", memory=True, step=lambda n: n + 1):
    if net_from:
        net.load_state_dict(saved[net_from])
    if average_from:
        average.load_state_dict(saved[average_from])
    if memory:
        optimizer.load_state_dict(saved["optimizer"])
    return step(saved["step"])


def _resume_with(**changes):
    return lambda net, average, optimizer, saved: _resume(net, average, optimizer, saved, **changes)


def _resume_inputs(generator, step=None, dim=3):
    if step is None:
        step = int(torch.randint(2, 400, (), generator=generator))
    before, before_average = _Net(generator, dim), _Net(generator, dim)
    saved = {
        "step": step,
        "net": {name: value.clone() for name, value in before.state_dict().items()},
        "average": {name: value.clone() for name, value in before_average.state_dict().items()},
        "optimizer": _Optimizer(generator, dim).state_dict(),
    }
    return _Net(generator, dim), _Net(generator, dim), _Optimizer(generator, dim), saved


def _weights(net):
    return torch.cat([weight.detach().double().flatten() for weight in net.parameters()])


def _all_that_counts(arguments, next_step):
    net, average, optimizer, _ = arguments
    if isinstance(next_step, int | float) and not isinstance(next_step, bool):
        next_step = torch.tensor(float(next_step), dtype=torch.float64)
    return next_step, _weights(net), _weights(average), optimizer.memory.double()


RESUME = Exercise(
    id="13.3",
    title="The resume",
    reference=resume,
    inputs=_resume_inputs,
    edges=edges(_resume_inputs, {"step": 1}, {"step": 1999}, {"dim": 1}, {"dim": 6}),
    observe=_all_that_counts,
    changes=("net", "average", "optimizer"),
    returns=("next step", "network", "average", "optimizer's memory"),
    mistakes=(
        Mistake(
            _resume_with(memory=False),
            "The optimizer starts anew: Adam's running means of the gradients were not put back, so its first steps "
            "are others.",
        ),
        Mistake(
            _resume_with(average_from=None),
            "The average of the weights was not put back. The training goes on well, but samples come from the "
            "average.",
        ),
        Mistake(
            _resume_with(net_from=None),
            "The network itself was not put back: it trains on from other weights.",
        ),
        Mistake(
            _resume_with(memory=False, average_from=None),
            "Only the network was put back. The average of the weights and the optimizer's memory are missing.",
        ),
        Mistake(
            _resume_with(net_from=None, average_from=None, memory=False),
            "Nothing was put back: net, average and optimizer are as they were. load_state_dict changes them in place.",
        ),
        Mistake(
            _resume_with(net_from=None, average_from=None),
            "Only the optimizer's memory was put back, neither the network nor its average.",
        ),
        Mistake(
            _resume_with(net_from=None, memory=False),
            "Only the average was put back, neither the network nor the optimizer's memory.",
        ),
        Mistake(
            _resume_with(net_from="average"),
            "The network got the averaged weights. The average is for samples; training goes on from the latest ones.",
        ),
        Mistake(
            _resume_with(average_from="net"),
            "The average got the latest weights: its memory of the steps before is lost.",
        ),
        Mistake(
            _resume_with(net_from="average", average_from="net"),
            "The network and its average have changed places.",
        ),
        Mistake(
            _resume_with(step=lambda n: n),
            "That step is done already: its batch would be trained on twice. The next one is one more.",
        ),
        Mistake(_resume_with(step=lambda n: n + 2), "One step would be left out: the next one is saved['step'] + 1."),
        Mistake(
            _resume_with(step=lambda n: 1),
            "The steps would be counted from 1 again, so the batches and the learning rate would be those of "
            "the start.",
        ),
        Mistake(
            _resume_with(step=lambda n: 0),
            "The steps would be counted from 0: go on with saved['step'] + 1.",
        ),
        Mistake(_resume_with(step=lambda n: n - 1), "That goes back by two steps: the next one is saved['step'] + 1."),
        Mistake(
            _resume_with(step=lambda n: n, memory=False),
            "Two things: the optimizer's memory was not put back, and the step that you name is done already.",
        ),
        Mistake(
            _resume_with(step=lambda n: n, average_from=None),
            "Two things: the average was not put back, and the step that you name is done already.",
        ),
    ),
    hints=(
        "Three things have a memory, and a fourth is a number. Which?",
        "Each of the three has load_state_dict, which changes it in place.",
        "net.load_state_dict(saved['net']), the same for average and optimizer, then return saved['step'] + 1.",
    ),
)
