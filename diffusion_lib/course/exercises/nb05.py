"""Exercises of notebook 05, training: 5.1 the article's loop, 5.2 stratified t, 5.3 the EMA update, 5.4 one step.

The loop is algorithm 1 of Ho, Jain and Abbeel 2020 with a network that guesses x_0. Stratified times (Kingma et al.
2021, appendix I.1 uses their equally spaced relative); the EMA's warm-up min(decay, (1 + n) / (10 + n)); a step whose
gradient is clipped is algorithm 1 of Pascanu, Mikolov and Bengio 2013.
"""

import torch
from torch import nn
from torch.utils.data import TensorDataset

from .exercise import Exercise, Mistake, Property
from .inputs import edges, pictures

# ---------------------------------------------------------------- a network and an optimizer that note what is done


class _Net(nn.Module):
    """A little network that uses its t: out = x W + t b + c. It notes in `events` what is done with it."""

    def __init__(self, dim: int, generator: torch.Generator):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(dim, dim, generator=generator))
        self.slope = nn.Parameter(torch.randn(dim, generator=generator))
        self.offset = nn.Parameter(torch.randn(dim, generator=generator))
        self.events: list[str] = []

    def forward(self, x, t=None, cond=None):
        times = torch.zeros(len(x), dtype=x.dtype) if t is None else t
        out = (x.flatten(1) @ self.matrix + times[:, None] * self.slope + self.offset).reshape(x.shape)
        if out.requires_grad:
            out.register_hook(lambda gradient: self.events.append("backward"))
        return out

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.events.append("zero_grad")
        super().zero_grad(set_to_none)


class _GradientDescent:
    """Plain gradient descent that behaves as `torch.optim.SGD`, which takes two seconds to import its compiler."""

    def __init__(self, parameters, lr: float, events: list[str]):
        self.defaults, self.state, self.events = {"lr": lr}, {}, events
        self.param_groups: list[dict] = []
        self.add_param_group({"params": list(parameters)})

    def add_param_group(self, param_group: dict) -> None:
        self.param_groups.append({**self.defaults, **param_group})

    def state_dict(self) -> dict:
        groups = [{**group, "params": list(range(len(group["params"])))} for group in self.param_groups]
        return {"state": {}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict) -> None:
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({**saved, "params": group["params"]})

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.events.append("zero_grad")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None or set_to_none:
                    parameter.grad = None
                else:
                    parameter.grad = torch.zeros_like(parameter.grad)

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.events.append("step")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.add_(parameter.grad, alpha=-group["lr"])
        return loss


def _all_weights(net) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


# ---------------------------------------------------------------- 5.1


def mended_loop(model, criterion, optimizer, dataloader, draw, num_epochs):
    return _loop(model, criterion, optimizer, dataloader, draw, num_epochs)


def _mix(x0, noise, alpha, sigma):
    return alpha * x0 + sigma * noise


def _loop(
    model,
    criterion,
    optimizer,
    dataloader,
    draw,
    num_epochs,
    *,
    zero="batch",
    mix=_mix,
    tell=lambda t: t,
    target=lambda x0, x_t, noise: x0,
    change=lambda drawn: drawn,
    step="batch",
    measure=lambda criterion, outputs, wanted: criterion(outputs, wanted),
    epoch_loss=lambda losses, sizes, earlier: (losses * sizes).sum() / sizes.sum(),
):
    """The right loop, but for what is given: when gradients are cleared and the weights move ("batch", "epoch",
    "never"), what the model sees, is told and should answer, and what is reported of an epoch."""
    reported, earlier = [], 0.0
    for _ in range(num_epochs):
        losses, sizes = [], []
        if zero == "epoch":
            optimizer.zero_grad()
        for x0, _ in dataloader:
            noise, t, alpha, sigma = change(draw(x0))
            x_t = mix(x0, noise, alpha, sigma)
            loss = measure(criterion, model(x_t, tell(t)), target(x0, x_t, noise))
            if zero == "batch":
                optimizer.zero_grad()
            loss.backward()
            if step == "batch":
                optimizer.step()
            losses.append(loss.detach())
            sizes.append(len(x0))
        if step == "epoch":
            optimizer.step()
        losses, sizes = torch.stack(losses), torch.tensor(sizes)
        reported.append(epoch_loss(losses, sizes, earlier))
        earlier = earlier + losses.sum()
    return torch.stack(reported)


def _loop_with(**changes):
    def answer(model, criterion, optimizer, dataloader, draw, num_epochs):
        return _loop(model, criterion, optimizer, dataloader, draw, num_epochs, **changes)

    return answer


class _Draws:
    """What a loop draws for a batch: noise, a time for each picture, alpha and sigma; anew in each call."""

    def __init__(self, generator: torch.Generator, dims: int):
        self.generator, self.dims, self.calls = generator, dims, 0

    def __call__(self, x0):
        self.calls += 1
        angle = 0.2 + 1.2 * torch.rand(len(x0), generator=self.generator)
        noise = torch.randn(x0.shape, generator=self.generator)
        each = angle.reshape(-1, *[1] * (self.dims - 1))
        return tuple(value.to(x0) for value in (noise, angle / 1.5708, each.cos(), each.sin()))


class _Batches(list):
    """Batches in a fixed order, with what a DataLoader has besides: the data set that they are cut from."""

    @property
    def dataset(self) -> TensorDataset:
        return TensorDataset(*(torch.cat(column) for column in zip(*self, strict=True)))

    @property
    def batch_size(self) -> int:
        return len(self[0][0])


def _loop_inputs(generator, sizes=(4, 4, 2), num_epochs=None, channels=1):
    if num_epochs is None:
        num_epochs = int(torch.randint(2, 4, (), generator=generator))
    net = _Net(4 * channels, generator)
    net.before = _all_weights(net).double()
    net.batches = len(sizes) * num_epochs
    batches = _Batches(
        (pictures(generator, size, (channels, 2, 2)), torch.randint(10, (size,), generator=generator)) for size in sizes
    )
    optimizer = _GradientDescent(net.parameters(), 0.1, net.events)
    return net, nn.MSELoss(), optimizer, batches, _Draws(generator, 4), num_epochs


def _losses_and_weights(arguments, losses):
    if isinstance(losses, list | tuple):
        losses = torch.tensor([float(loss) for loss in losses], dtype=torch.float64)
    return losses, _all_weights(arguments[0])


def _what_the_loop_did(arguments) -> str | None:
    """What is amiss in the order of backward, step and zero_grad, or in how often there was a draw."""
    net, events, draw = arguments[0], arguments[0].events, arguments[4]
    moved = not torch.equal(net.before, _all_weights(net).double())
    steps = events.count("step")
    if moved and not steps:
        return None  # by hand
    if "backward" not in events:
        what = "neither loss.backward() nor optimizer.step() was called" if not steps else "loss.backward() is missing"
        return f"The network never moved: {what}."
    if not steps:
        return "The gradients are there, but the network never moved: optimizer.step() is missing."
    if events.index("step") < events.index("backward"):
        return "optimizer.step() comes before loss.backward(): the step needs the gradients that backward makes."
    if ("backward", "zero_grad", "step") in zip(events, events[1:], events[2:], strict=False):
        return "zero_grad() stands between loss.backward() and optimizer.step(): the step found no gradient."
    if steps < net.batches:
        return "optimizer.step() was called less often than there were batches: one step for each batch is wanted."
    if steps > net.batches:
        return "optimizer.step() was called more often than there were batches: one step for each batch."
    if draw.calls != net.batches:
        return "Noise and t belong to a batch: call draw(inputs) once for each batch, and use all that it returns."
    return None


LOOP = Exercise(
    id="5.1",
    title="The article's loop, mended",
    reference=mended_loop,
    inputs=_loop_inputs,
    remark=_what_the_loop_did,
    edges=edges(
        _loop_inputs,
        {"num_epochs": 1},
        {"sizes": (3,)},
        {"sizes": (3, 3)},
        {"sizes": (1, 1, 1)},
        {"channels": 3},
        {"sizes": (5, 5, 5, 5, 1), "num_epochs": 4},
    ),
    observe=_losses_and_weights,
    changes=("model", "optimizer"),
    returns=("list of losses", "network after the training"),
    tolerance=5e-5,
    mistakes=(
        Mistake(
            _loop_with(zero="never"),
            "The gradients are never set to zero: each backward() adds to all the earlier ones, and a step follows "
            "their sum. optimizer.zero_grad() belongs to each batch.",
        ),
        Mistake(
            _loop_with(zero="epoch"),
            "The gradients are set to zero once per epoch only: within it each backward() adds to the earlier ones. "
            "optimizer.zero_grad() belongs to each batch.",
        ),
        Mistake(
            _loop_with(zero="epoch", step="epoch"),
            "The network moves once per epoch: optimizer.step() and zero_grad() belong into the inner loop, to each "
            "batch.",
        ),
        Mistake(
            _loop_with(step="epoch"),
            "The network moves once per epoch, along the last batch's gradient: optimizer.step() belongs to each "
            "batch.",
        ),
        Mistake(
            _loop_with(target=lambda x0, x_t, noise: x_t),
            "The target is the model's own input: that network learns to copy, noise and all. Compare its guess with "
            "the clean picture.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: x0),
            "The noise is never added: clean pictures go in, clean pictures should come out, and the network learns "
            "to copy.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: x0, tell=lambda t: 0 * t),
            "zero_grad is there; but no noise is added, so that the network learns to copy, and it is not told t.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: x0, tell=lambda t: 0 * t, zero="never"),
            "That is the article's loop as it is printed: gradients are never set to zero, no noise is added, and the "
            "model is not told t. Mend all three.",
        ),
        Mistake(
            _loop_with(tell=lambda t: 0 * t, zero="never"),
            "The noise is there. Two things are still as in the article: the gradients are never set to zero, and the "
            "model is not told t.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: x0, zero="never"),
            "t is there. Two things are still as in the article: the gradients are never set to zero, and no noise is "
            "added.",
        ),
        Mistake(
            _loop_with(target=lambda x0, x_t, noise: noise),
            "The target is the noise, but this model guesses the clean picture.",
        ),
        Mistake(
            _loop_with(tell=lambda t: 0 * t),
            "The model is not told t (or told 0 every time): hand it over, model(x_t, t).",
        ),
        Mistake(
            _loop_with(change=lambda drawn: (drawn[0], *(value[:1].expand_as(value) for value in drawn[1:]))),
            "One t for the whole batch: the first picture's was used for all. Each picture has its own.",
        ),
        Mistake(
            _loop_with(tell=lambda t: t[:1].expand_as(t)),
            "The model is told the first picture's t for the whole batch. Each picture has its own: hand over all of "
            "t.",
        ),
        Mistake(
            _loop_with(tell=lambda t: t.mean().expand_as(t)),
            "The model is told the batch's mean t. Each picture has its own: hand over all of t.",
        ),
        Mistake(
            _loop_with(tell=lambda t: 1 - t),
            "The model is told 1 - t: hand it t, which is 1 at full noise.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: s * x0 + a * noise),
            "alpha and sigma have changed places: alpha multiplies the picture.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: x0 + s * noise),
            "The picture was not shrunk by alpha before the noise was added.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: a * x0 + noise),
            "Noise of full strength was added: sigma multiplies it.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: x0 + noise),
            "Picture and noise were added as they are: x_t = alpha x_0 + sigma noise.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: a**2 * x0 + s**2 * noise),
            "You mixed with variances; alpha and sigma are standard deviations already, do not square them.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: a.sqrt() * x0 + s.sqrt() * noise),
            "You took square roots of alpha and sigma; they are standard deviations already.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: s * noise),
            "The model sees noise alone: alpha times the picture is missing.",
        ),
        Mistake(
            _loop_with(mix=lambda x0, noise, a, s: noise),
            "The model sees nothing but noise: x_t = alpha x_0 + sigma noise is what goes in.",
        ),
        Mistake(
            _loop_with(measure=lambda criterion, outputs, wanted: criterion(outputs, wanted).sqrt()),
            "You took the root of the mean squared error; criterion's own value is the loss.",
        ),
        Mistake(
            _loop_with(epoch_loss=lambda losses, sizes, earlier: losses[-1]),
            "The training is right. What you report of an epoch is its last batch's loss, one noisy number out of "
            "many; the mean over all pictures is asked for.",
        ),
        Mistake(
            _loop_with(epoch_loss=lambda losses, sizes, earlier: losses[0]),
            "The training is right. What you report of an epoch is its first batch's loss; the mean over all pictures "
            "is asked for.",
        ),
        Mistake(
            _loop_with(epoch_loss=lambda losses, sizes, earlier: losses.mean()),
            "The training is right. In an epoch's loss you gave every batch the same weight, but the last one is "
            "smaller: weigh each by how many pictures it has.",
        ),
        Mistake(
            _loop_with(epoch_loss=lambda losses, sizes, earlier: losses.sum()),
            "The training is right. You summed the batches' losses: the mean over all pictures is asked for.",
        ),
        Mistake(
            _loop_with(epoch_loss=lambda losses, sizes, earlier: (losses * sizes).sum()),
            "The training is right. You summed the loss over all pictures: divide by how many they are.",
        ),
        Mistake(
            _loop_with(epoch_loss=lambda losses, sizes, earlier: losses.sum() / sizes.sum()),
            "The training is right. The batches' losses are means already: weigh each by its size before you divide by "
            "the number of pictures.",
        ),
        Mistake(
            _loop_with(epoch_loss=lambda losses, sizes, earlier: (losses * sizes).sum() / len(losses)),
            "The training is right. You divided by the number of batches; divide by the number of pictures.",
        ),
        Mistake(
            _loop_with(epoch_loss=lambda losses, sizes, earlier: (earlier + losses.sum()) / len(losses)),
            "The training is right. The sum of losses goes on from one epoch to the next: begin each epoch with 0.",
        ),
    ),
    hints=(
        "Four lines of the article change: what the model sees, what it is told, when gradients are forgotten, and "
        "which loss is reported. The target, inputs, stays as it is.",
        "In the inner loop: noise, t, alpha, sigma = draw(inputs); the model gets (alpha * inputs + sigma * noise, t); "
        "optimizer.zero_grad() comes before loss.backward().",
        "Before the inner loop set total, count = 0.0, 0; in it add loss.item() * len(inputs) and len(inputs); after "
        "it append total / count to a list, and return the list at the end.",
    ),
)


# ---------------------------------------------------------------- 5.2


def stratified_times(u):
    return (torch.arange(len(u)) + u) / len(u)


def _uniform(generator, batch=None, ends=False):
    if batch is None:
        batch = int(torch.randint(4, 20, (), generator=generator))
    u = torch.rand(batch, generator=generator)
    if ends:
        u[0], u[-1] = 0.0, 0.999
    return (u,)


STRATIFIED = Exercise(
    id="5.2",
    title="Stratified times",
    reference=stratified_times,
    inputs=_uniform,
    edges=edges(_uniform, {"batch": 1}, {"batch": 2}, {"batch": 256}, {"ends": True}),
    mistakes=(
        Mistake(lambda u: u, "Those are independent times: some parts of [0, 1] get several, others none."),
        Mistake(
            lambda u: u.sort().values,
            "You sorted independent times: the gaps between them are still there.",
        ),
        Mistake(
            lambda u: torch.arange(len(u)) / len(u),
            "Those are the left ends of the intervals, the same in every step; u has to choose a place in each.",
        ),
        Mistake(
            lambda u: torch.arange(len(u)) + u,
            "One in each unit interval: now shrink them all to [0, 1].",
        ),
        Mistake(
            lambda u: torch.arange(len(u)) / len(u) + u,
            "u spans a whole interval [0, 1] here, so times reach beyond 1: shrink u to the width 1 / B too.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)) + u) / (len(u) - 1),
            "There are B intervals, not B - 1: your last time can lie above 1.",
        ),
        Mistake(
            lambda u: (torch.arange(1, len(u) + 1) + u) / len(u),
            "The intervals count from 0: your first one is empty and your last lies above 1.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)) + u[0]) / len(u),
            "You moved all times by the same u[0]. That is a good method too, but here each interval has its own u.",
        ),
        Mistake(
            lambda u: torch.linspace(0, 1, len(u)),
            "Those are fixed times, the same in every step: u has to choose a place in each interval.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)) + 0.5) / len(u),
            "Those are the middles of the intervals, the same in every step: u has to choose a place in each.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)).flip(0) + u) / len(u),
            "The intervals are counted from the end; t[0] lies in interval 0.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)) + u.sort().values) / len(u),
            "You sorted u. The times are in order without that, and u[i] belongs to interval i.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)) + 1 - u) / len(u),
            "u counts from the right end in yours: 0 must be an interval's left end.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)) - u) / len(u),
            "u is taken away: that goes to the left of each interval's left end. Add it.",
        ),
        Mistake(
            lambda u: torch.arange(len(u)) * u / len(u),
            "You multiplied: the interval's left end and the place inside it are added.",
        ),
        Mistake(
            lambda u: u / len(u),
            "All times are in the first interval: add where each interval begins.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)) / len(u) + u) % 1,
            "u spans a whole interval [0, 1] here, so that interval i is left: shrink u to the width 1 / B too.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)) + u) / (len(u) + 1),
            "There are B intervals, not B + 1: the last one stays empty.",
        ),
        Mistake(
            lambda u: torch.linspace(0, 1, len(u)) + u / len(u),
            "linspace(0, 1, B) ends at 1, so its places are wider than 1 / B apart; the left ends are i / B.",
        ),
        Mistake(
            lambda u: (torch.arange(len(u)) + u) // len(u),
            "`//` divides and rounds down: all of [0, 1) becomes 0. Divide with `/`.",
        ),
    ),
    properties=(
        Property(
            lambda args, t: bool(((t >= 0) & (t <= 1)).all()),
            "Some of your times lie outside [0, 1].",
        ),
        Property(
            lambda args, t: bool(((t.sort().values * len(t)).floor() == torch.arange(len(t))).all()),
            "Cut [0, 1] into B equal intervals: each must hold exactly one of your times, and some hold none.",
        ),
    ),
    hints=(
        "Cut [0, 1] into B intervals of width 1 / B and put one time into each. u[i] says where in its interval.",
        "Interval i starts at i / B; the place inside it is u[i] times the width.",
        "torch.arange(B) counts the intervals; add u, then divide by B.",
    ),
)


# ---------------------------------------------------------------- 5.3


def ema_update(average, weights, updates, decay):
    share = min(decay, (1 + updates) / (10 + updates))
    return share * average + (1 - share) * weights


def _ema_with(keep):
    def answer(average, weights, updates, decay):
        share = keep(updates, decay)
        return share * average + (1 - share) * weights

    return answer


def _ema_inputs(generator, updates=None, decay=None, shape=(5, 3)):
    if updates is None:
        updates = int(torch.randint(2, 300, (), generator=generator))
    if decay is None:
        decay = (0.9, 0.95, 0.99)[int(torch.randint(3, (), generator=generator))]
    return torch.randn(shape, generator=generator), 2 * torch.randn(shape, generator=generator), updates, decay


EMA = Exercise(
    id="5.3",
    title="The EMA update",
    reference=ema_update,
    inputs=_ema_inputs,
    edges=edges(
        _ema_inputs,
        *({"updates": updates} for updates in (0, 1, 5000)),
        {"updates": 3, "decay": 0.99},
        {"updates": 20, "decay": 0.99},
        {"updates": 20_000, "decay": 0.9995},
        {"updates": 2, "decay": 0.5},
        {"shape": (1,)},
    ),
    linear=("average", "weights"),
    mistakes=(
        Mistake(
            lambda average, weights, n, d: ema_update(weights, average, n, d),
            "Average and new weights have changed places: the average is what is mostly kept.",
        ),
        Mistake(
            _ema_with(lambda n, d: d),
            "No warm-up: decay is kept from the first step on, when the average is still the random start. Keep less "
            "at the beginning (and look at the brackets of (1 + updates) / (10 + updates), if you have that).",
        ),
        Mistake(
            _ema_with(lambda n, d: max(d, (1 + n) / (10 + n))),
            "You took the larger of the two; the share kept grows with n *until* it reaches decay.",
        ),
        Mistake(
            _ema_with(lambda n, d: (1 + n) / (10 + n)),
            "The warm-up never ends: after many updates the share kept must stop at decay.",
        ),
        Mistake(
            _ema_with(lambda n, d: min(d, (2 + n) / (11 + n))),
            "Off by one: updates counts the updates made *before* this one.",
        ),
        Mistake(
            _ema_with(lambda n, d: d * (1 + n) / (10 + n)),
            "You multiplied decay and warm-up; the smaller of the two is used.",
        ),
        Mistake(
            lambda a, w, n, d: min(d, (1 + n) / (10 + n)) * a + w,
            "The shares must add up to 1: the new weights get 1 minus what is kept, or the average grows without end.",
        ),
        Mistake(
            lambda a, w, n, d: min(d, (1 + n) / (10 + n)) * a + (1 - d) * w,
            "The warm-up changes both shares: they must add up to 1.",
        ),
        Mistake(
            lambda a, w, n, d: (n * a + w) / (n + 1),
            "That is the plain mean of all weights so far; it never forgets the bad ones from the start.",
        ),
        Mistake(
            lambda a, w, n, d: (a + w) / 2,
            "That is the mean of the two; an EMA keeps the share decay of the old one.",
        ),
        Mistake(lambda a, w, n, d: w, "Those are the new weights; the average must remember the old ones."),
        Mistake(
            _ema_with(lambda n, d: min(d, n / (10 + n))),
            "The 1 on top is missing: (1 + updates) / (10 + updates).",
        ),
        Mistake(
            _ema_with(lambda n, d: min(d, (1 + n) / 10 + n)),
            "The bracket around 10 + updates is missing: it all belongs under the line.",
        ),
        Mistake(
            _ema_with(lambda n, d: 1 - d),
            "The shares have changed places, and the warm-up is missing: decay is what is *kept*.",
        ),
        Mistake(
            _ema_with(lambda n, d: d**n),
            "decay is no power here: the share kept is (1 + updates) / (10 + updates), at most decay.",
        ),
        Mistake(
            lambda a, w, n, d: a,
            "That is the old average: the new weights must come in.",
        ),
        Mistake(
            _ema_with(lambda n, d: 0.0 if n == 0 else min(d, (1 + n) / (10 + n))),
            "At updates = 0 you took the new weights alone; a tenth of the start is kept there.",
        ),
    ),
    properties=(
        Property(
            lambda args, new: bool(
                (
                    (new >= torch.minimum(args[0], args[1]) - 1e-5) & (new <= torch.maximum(args[0], args[1]) + 1e-5)
                ).all()
            ),
            "A mean lies between the old average and the new weights; some of your numbers do not.",
        ),
    ),
    hints=(
        "A share `kept` of the old average plus a share 1 - kept of the new weights. How large is kept at the start?",
        "kept = (1 + updates) / (10 + updates) while that is below decay, decay from then on.",
        "min(…, …) chooses; then one line with kept and 1 - kept.",
    ),
)


# ---------------------------------------------------------------- 5.4


def training_step(net, optimizer, x0, noise, t, alpha, sigma, longest):
    return _step(net, optimizer, t, alpha * x0 + sigma * noise, x0, longest)


def _clip(net, longest):
    nn.utils.clip_grad_norm_(net.parameters(), float(longest))


def _step(
    net,
    optimizer,
    t,
    x,
    target,
    longest,
    loss=lambda errors: errors.square().mean(),
    zero=True,
    step=True,
    backward=True,
    clip=_clip,
):
    if zero:
        optimizer.zero_grad()
    loss = loss(net(x, t) - target)
    if backward:
        loss.backward()
        clip(net, longest)
    if step:
        optimizer.step()
    return loss.detach()


def _loss_afterwards(net, optimizer, x0, noise, t, alpha, sigma, longest):
    training_step(net, optimizer, x0, noise, t, alpha, sigma, longest)
    x_t = alpha * x0 + sigma * noise
    return _step(net, optimizer, t, x_t, x0, longest, zero=False, backward=False, step=False)


def _loss_with(reduce, returned=None):
    """The right step but for the loss, from the errors; `returned` is what it returns if that is another one."""

    def answer(net, optimizer, x0, noise, t, alpha, sigma, longest):
        x_t = alpha * x0 + sigma * noise
        with torch.no_grad():
            errors = net(x_t, t) - x0
        loss = _step(net, optimizer, t, x_t, x0, longest, loss=reduce)
        return returned(errors) if returned else loss

    return answer


def _clipped_with(clip):
    return lambda net, opt, x0, e, t, a, s, longest: _step(net, opt, t, a * x0 + s * e, x0, longest, clip=clip)


def _unit(net, longest):
    norm = torch.cat([parameter.grad.flatten() for parameter in net.parameters()]).norm()
    for parameter in net.parameters():
        parameter.grad.mul_(longest / norm)


def _each(net, longest):
    for parameter in net.parameters():
        nn.utils.clip_grad_norm_([parameter], float(longest))


def _step_inputs(generator, batch=4, dim=3, angle=None, longest=None):
    net = _Net(dim, generator)
    for parameter in net.parameters():  # what an earlier step left behind
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    net.before = _all_weights(net).double()
    angles = 0.2 + 1.2 * torch.rand(batch, 1, generator=generator)
    if angle is not None:
        angles = torch.full_like(angles, angle)
    x0, noise = torch.randn(2, batch, dim, generator=generator) * torch.tensor([1.5, 1.0]).reshape(2, 1, 1)
    t = angles[:, 0] / 1.5708
    if longest is None:  # the gradient is a few units long: in half of the draws it is shorter than this
        longest = (0.3, 0.8, 20.0, 40.0)[int(torch.randint(4, (), generator=generator))]
    optimizer = _GradientDescent(net.parameters(), 0.1, net.events)
    return net, optimizer, x0, noise, t, angles.cos(), angles.sin(), longest


def _what_was_done(arguments) -> str | None:
    """What is amiss in the order of backward, step and zero_grad; None if it is right, or done in another way."""
    net, events = arguments[0], arguments[0].events
    moved = not torch.equal(net.before, _all_weights(net).double())
    backward, step = "backward" in events, "step" in events
    if moved and not step:
        return None  # by hand
    if not backward:
        if not step:
            return "The network never moved: neither loss.backward() nor optimizer.step() was called."
        used = (
            "it moved along the old gradients only" if moved else "there was no gradient to follow, and it never moved"
        )
        return f"loss.backward() is missing: when optimizer.step() came, {used}."
    if not step:
        return "The gradients are there, but the network never moved: optimizer.step() is missing."
    last_backward, first_step = len(events) - 1 - events[::-1].index("backward"), events.index("step")
    if first_step < events.index("backward"):
        return "optimizer.step() comes before loss.backward(): the step needs the gradients that backward makes."
    if "zero_grad" in events[last_backward:first_step]:
        return "zero_grad() stands between loss.backward() and optimizer.step(): the step found no gradient."
    if events.count("step") > 1:
        return f"optimizer.step() was called {events.count('step')} times: one step for each batch."
    return None


def _weights_after(arguments, loss):
    return loss, _all_weights(arguments[0])


STEP = Exercise(
    id="5.4",
    title="One training step",
    reference=training_step,
    inputs=_step_inputs,
    remark=_what_was_done,
    edges=edges(
        _step_inputs,
        {"batch": 1},
        {"dim": 1},
        {"dim": 6},
        {"angle": 0.0},
        {"angle": 1.5708},
        {"longest": 0.05},
        {"longest": 1000.0},
    ),
    observe=_weights_after,
    changes=("net", "optimizer"),
    returns=("loss", "network after the step"),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, a * x0 + s * e, x0, c, zero=False),
            "The old gradients were still there, and yours were added to them: optimizer.zero_grad() comes first.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, a * x0 + s * e, e, c),
            "The target is the noise, but this network guesses the picture.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, a * x0 + s * e, a * x0 + s * e, c),
            "The target is the input: that network learns to copy, and its loss falls beautifully.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, a * x0 + s * e, a * e - s * x0, c),
            "The target is v = alpha noise - sigma x_0; this network guesses the picture.",
        ),
        Mistake(
            _clipped_with(lambda net, longest: None),
            "optimizer.step() followed the full gradient: clip it between loss.backward(), which makes it, and "
            "optimizer.step(), which uses it.",
        ),
        Mistake(
            _clipped_with(_unit),
            "The gradient got the length longest in every step, also where it was shorter: only longer ones are "
            "shortened.",
        ),
        Mistake(
            _clipped_with(lambda net, longest: nn.utils.clip_grad_value_(net.parameters(), float(longest))),
            "Each number of the gradient was clipped by itself, which changes its direction: clip the length of the "
            "whole, with clip_grad_norm_.",
        ),
        Mistake(
            _clipped_with(_each),
            "Each parameter's gradient was clipped by itself: it is the length of all of them together that counts.",
        ),
        Mistake(
            _clipped_with(lambda net, longest: _clip(net, 1.0)),
            "The gradient was clipped to the length 1: the limit is handed to you, longest.",
        ),
        Mistake(
            _loss_afterwards,
            "You measured the error anew after the step; the one before it is asked for.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, x0, x0, c),
            "Clean pictures in, clean pictures as the target: no noise was ever added, and the network learns to copy.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, s * e, x0, c),
            "The network saw noise alone: alpha times the picture is missing.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, x0 + e, x0, c),
            "Noise of full strength was added whatever t is: x_t = alpha x_0 + sigma noise.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, x0 + s * e, x0, c),
            "The picture was not shrunk by alpha before the noise was added.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, a.square() * x0 + s.square() * e, x0, c),
            "You mixed with variances; alpha and sigma are standard deviations already, do not square them.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, a.sqrt() * x0 + s.sqrt() * e, x0, c),
            "You took square roots of alpha and sigma; they are standard deviations already.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, s * x0 + a * e, x0, c),
            "alpha and sigma have changed places: alpha multiplies the picture.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(
                net, opt, t, a * x0 + s * e, x0, c, loss=lambda errors: errors.square().sum()
            ),
            "You summed the squared errors: then the step grows with the batch and the size of the "
            "picture. Take the mean.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(
                net, opt, t, a * x0 + s * e, x0, c, loss=lambda errors: errors.abs().mean()
            ),
            "You took absolute errors. Their best answer is a median; E[x_0 | x_t] needs squares.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, torch.zeros_like(t), a * x0 + s * e, x0, c),
            "The network was told t = 0 for every picture, or no t at all: hand it t.",
        ),
        Mistake(
            _loss_with(lambda e: e.square().sum(), lambda e: e.square().mean()),
            "The loss is right, but the gradients are those of the sum: the step grows with the batch and the"
            " size of the picture. backward() of the mean is wanted.",
        ),
        Mistake(
            _loss_with(lambda e: e.square().mean().sqrt()),
            "You took the root of the mean squared error; the mean itself is asked for.",
        ),
        Mistake(
            _loss_with(lambda e: e.square().mean() / 2),
            "Half of the mean squared error: no ½ stands before it.",
        ),
        Mistake(
            _loss_with(lambda e: e.mean().square()),
            "You squared the mean of the errors: they cancel before they are squared. Square first, then take"
            " the mean.",
        ),
        Mistake(
            _loss_with(lambda e: e.mean()),
            "The errors are not squared: negative ones cancel positive ones.",
        ),
        Mistake(
            _loss_with(lambda e: e.square().sum(1).mean()),
            "You summed over a picture's numbers and averaged over the batch alone; the mean is over all numbers.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, a * x0 + s * e, a * x0, c),
            "The target is alpha x_0; this network guesses the picture itself.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, t, a.sqrt() * x0 + (1 - a).sqrt() * e, x0, c),
            "You took alpha for alpha_bar, its square: alpha and sigma multiply as they are.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s, c: _step(net, opt, 1 - t, a * x0 + s * e, x0, c),
            "The network was told 1 - t: hand it t, which is 1 at full noise.",
        ),
    ),
    hints=(
        "Six lines: forget the old gradients, noise the pictures, measure the error, backward, clip, step.",
        "x_t = alpha * x0 + sigma * noise goes in, together with t; the picture should come out. Mean squared error. "
        "Clip the gradient when it is complete, and before it is used.",
        "optimizer.zero_grad(); loss = …mean(); loss.backward(); torch.nn.utils.clip_grad_norm_(net.parameters(), "
        "longest); optimizer.step(); return loss.item().",
    ),
)
