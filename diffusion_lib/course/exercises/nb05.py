"""Exercises of notebook 05, training: 5.1 the epoch's loss, 5.2 stratified t, 5.3 the EMA update, 5.4 one step.

Stratified times (Kingma et al. 2021, appendix I.1 uses their equally spaced relative); the EMA's warm-up
min(decay, (1 + n) / (10 + n)); the step is algorithm 1 of Ho, Jain and Abbeel 2020.
"""

import torch
from torch import nn

from .exercise import Exercise, Mistake, Property
from .inputs import edges

# ---------------------------------------------------------------- 5.1


def epoch_loss(losses, sizes):
    return (losses * sizes).sum() / sizes.sum()


def _losses(generator, batches=None, size=64, level=1.0, all_alike=False):
    if batches is None:
        batches = int(torch.randint(4, 9, (), generator=generator))
    sizes = torch.full((batches,), size)
    if not all_alike:
        sizes[-1] = torch.randint(3, 2 * size // 3, (), generator=generator)
    return level * (0.1 + torch.rand(batches, generator=generator)), sizes


EPOCH = Exercise(
    id="5.1",
    title="The loss of an epoch",
    reference=epoch_loss,
    inputs=_losses,
    edges=edges(_losses, {"batches": 1}, {"batches": 2}, {"size": 10}, {"level": 20.0}, {"all_alike": True}),
    mistakes=(
        Mistake(
            lambda losses, sizes: losses[-1],
            "That is the last batch's loss, one noisy number out of many; the epoch's is the mean over "
            "all its pictures.",
        ),
        Mistake(
            lambda losses, sizes: losses.mean(),
            "You gave every batch the same weight, but the last one is smaller: its pictures count too much.",
        ),
        Mistake(
            lambda losses, sizes: losses.sum(),
            "That is the sum over batches: it grows with the number of batches.",
        ),
        Mistake(
            lambda losses, sizes: (losses * sizes).sum(),
            "That is the sum over all pictures: divide by how many they are.",
        ),
        Mistake(
            lambda losses, sizes: (losses * sizes).sum() / len(losses),
            "The pictures' losses are summed, but you divided by the number of batches; divide by that of "
            "the pictures.",
        ),
        Mistake(
            lambda losses, sizes: losses.sum() / sizes.sum(),
            "The losses are means already. Weigh each by its batch's size before you sum.",
        ),
        Mistake(lambda losses, sizes: losses.min(), "That is the best batch's loss; the epoch's is a mean."),
        Mistake(
            lambda losses, sizes: losses[:-1].mean(),
            "You left the smaller last batch out; its pictures count like all others.",
        ),
        Mistake(
            lambda losses, sizes: losses * sizes / sizes.sum(),
            "Those are the batches' shares; their sum is asked for.",
        ),
        Mistake(
            lambda losses, sizes: losses.median(),
            "That is a median of batches; the epoch's loss is the mean over pictures.",
        ),
        Mistake(
            lambda losses, sizes: losses.max(),
            "That is the worst batch's loss; the epoch's is a mean.",
        ),
        Mistake(
            lambda losses, sizes: losses[0],
            "That is the first batch's loss; the epoch's is the mean over all its pictures.",
        ),
        Mistake(
            lambda losses, sizes: ((losses.square() * sizes).sum() / sizes.sum()).sqrt(),
            "You took the root of a mean of squares; the losses are averaged as they are.",
        ),
        Mistake(
            lambda losses, sizes: (losses * sizes).sum() / (sizes[0] * len(sizes)),
            "You divided as if all batches were full: divide by how many pictures there were.",
        ),
        Mistake(
            lambda losses, sizes: (losses * sizes).sum() / sizes[0],
            "You divided by one batch's size: divide by how many pictures there were in all.",
        ),
        Mistake(
            lambda losses, sizes: (losses * sizes).sum() / (64 * len(sizes)),
            "You divided by 64 for each batch: divide by how many pictures there were, sizes says it.",
        ),
        Mistake(
            lambda losses, sizes: (losses / sizes).sum() / sizes.sum(),
            "You divided each loss by its size; a mean over sizes[k] pictures is *multiplied* by it to get their sum.",
        ),
        Mistake(
            lambda losses, sizes: (losses / sizes).sum(),
            "Each loss is a mean already: weigh it by its size instead of dividing once more.",
        ),
        Mistake(
            lambda losses, sizes: losses[0] * sizes[0] / sizes.sum(),
            "Only the first batch is counted: the loop returned after its first turn.",
        ),
        Mistake(
            lambda losses, sizes: losses[-1] * sizes[-1] / sizes.sum(),
            "Only the last batch is counted: the loop overwrites the sum instead of adding to it.",
        ),
        Mistake(
            lambda losses, sizes: (losses * sizes / sizes.sum()).mean(),
            "The batches' shares are right; their sum is asked for, not their mean.",
        ),
    ),
    properties=(
        Property(
            lambda args, loss: bool(args[0].min() - 1e-6 <= loss <= args[0].max() + 1e-6),
            "A mean lies between the smallest and the largest loss; your number does not.",
        ),
    ),
    hints=(
        "losses[k] is a mean over sizes[k] pictures. What is the sum over those pictures?",
        "Sum over all pictures of all batches, divided by how many pictures there were.",
        "A weighted mean: weights sizes, values losses.",
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


class _Net(nn.Module):
    """A little network that uses its t: out = x W + t b + c. It notes in `events` what is done with it."""

    def __init__(self, dim: int, generator: torch.Generator):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(dim, dim, generator=generator))
        self.slope = nn.Parameter(torch.randn(dim, generator=generator))
        self.offset = nn.Parameter(torch.randn(dim, generator=generator))
        self.events: list[str] = []

    def forward(self, x, t, cond=None):
        out = x @ self.matrix + t[:, None] * self.slope + self.offset
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


def _all_weights(net) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def training_step(net, optimizer, x0, noise, t, alpha, sigma):
    return _step(net, optimizer, t, alpha * x0 + sigma * noise, noise)


def _step(
    net, optimizer, t, x, target, loss=lambda errors: errors.square().mean(), zero=True, step=True, backward=True
):
    if zero:
        optimizer.zero_grad()
    loss = loss(net(x, t) - target)
    if backward:
        loss.backward()
    if step:
        optimizer.step()
    return loss.detach()


def _loss_afterwards(net, optimizer, x0, noise, t, alpha, sigma):
    training_step(net, optimizer, x0, noise, t, alpha, sigma)
    return _step(net, optimizer, t, alpha * x0 + sigma * noise, noise, zero=False, backward=False, step=False)


def _loss_with(reduce, returned=None):
    """The right step but for the loss, from the errors; `returned` is what it returns if that is another one."""

    def answer(net, optimizer, x0, noise, t, alpha, sigma):
        x_t = alpha * x0 + sigma * noise
        with torch.no_grad():
            errors = net(x_t, t) - noise
        loss = _step(net, optimizer, t, x_t, noise, loss=reduce)
        return returned(errors) if returned else loss

    return answer


def _step_inputs(generator, batch=4, dim=3, angle=None):
    net = _Net(dim, generator)
    for parameter in net.parameters():  # what an earlier step left behind
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    net.before = _all_weights(net).double()
    angles = 0.2 + 1.2 * torch.rand(batch, 1, generator=generator)
    if angle is not None:
        angles = torch.full_like(angles, angle)
    x0, noise = torch.randn(2, batch, dim, generator=generator) * torch.tensor([1.5, 1.0]).reshape(2, 1, 1)
    t = angles[:, 0] / 1.5708
    return net, _GradientDescent(net.parameters(), 0.1, net.events), x0, noise, t, angles.cos(), angles.sin()


def _weights_after(arguments, loss):
    return loss, _all_weights(arguments[0])


STEP = Exercise(
    id="5.4",
    title="One training step",
    reference=training_step,
    inputs=_step_inputs,
    remark=_what_was_done,
    edges=edges(_step_inputs, {"batch": 1}, {"dim": 1}, {"dim": 6}, {"angle": 0.0}, {"angle": 1.5708}),
    observe=_weights_after,
    changes=("net", "optimizer"),
    returns=("loss", "network after the step"),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, a * x0 + s * e, e, zero=False),
            "The old gradients were still there, and yours were added to them: optimizer.zero_grad() comes first.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, a * x0 + s * e, x0),
            "The target is x_0, but this network predicts the noise.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, a * x0 + s * e, a * x0 + s * e),
            "The target is the input: that network learns to copy, and its loss falls beautifully.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, a * x0 + s * e, a * e - s * x0),
            "The target is v = alpha noise - sigma x_0; this network predicts the noise.",
        ),
        Mistake(
            _loss_afterwards,
            "You measured the error anew after the step; the one before it is asked for.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, x0, x0),
            "Clean pictures in, clean pictures as the target: no noise was ever added, and the network learns to copy.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, x0, e),
            "The network saw the clean x_0: mix in the noise first.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, x0 + e, e),
            "Noise of full strength was added whatever t is: x_t = alpha x_0 + sigma noise.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, x0 + s * e, e),
            "The picture was not shrunk by alpha before the noise was added.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, a.square() * x0 + s.square() * e, e),
            "You mixed with variances; alpha and sigma are standard deviations already, do not square them.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, a.sqrt() * x0 + s.sqrt() * e, e),
            "You took square roots of alpha and sigma; they are standard deviations already.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, s * x0 + a * e, e),
            "alpha and sigma have changed places: alpha multiplies the picture.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(
                net, opt, t, a * x0 + s * e, e, loss=lambda errors: errors.square().sum()
            ),
            "You summed the squared errors: then the step grows with the batch and the size of the "
            "picture. Take the mean.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(
                net, opt, t, a * x0 + s * e, e, loss=lambda errors: errors.abs().mean()
            ),
            "You took absolute errors. Their best answer is a median; E[noise | x_t] needs squares.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, torch.zeros_like(t), a * x0 + s * e, e),
            "The network was told t = 0 for every picture: hand it t.",
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
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, a * x0 + s * e, s * e),
            "The target is sigma noise; this network predicts the noise itself.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, t, a.sqrt() * x0 + (1 - a).sqrt() * e, e),
            "You took alpha for alpha_bar, its square: alpha and sigma multiply as they are.",
        ),
        Mistake(
            lambda net, opt, x0, e, t, a, s: _step(net, opt, 1 - t, a * x0 + s * e, e),
            "The network was told 1 - t: hand it t, which is 1 at full noise.",
        ),
    ),
    hints=(
        "Five lines: forget the old gradients, noise the pictures, measure the error, backward, step.",
        "x_t = alpha * x0 + sigma * noise goes in, together with t; the noise should come out. Mean squared error.",
        "optimizer.zero_grad(); loss = …mean(); loss.backward(); optimizer.step(); return loss.",
    ),
)
