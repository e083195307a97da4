"""What a check says of NaN, of a training step's order, of clips, casts and lists; nothing a learner does is a traceback."""

import pytest
import torch

from diffusion_lib.course.exercises import check
from diffusion_lib.course.exercises.catalogue import find
from diffusion_lib.course.exercises.draws import Stopped, draws
from diffusion_lib.course.exercises.shared import _clipped
from diffusion_lib.course.exercises.variants import variants
from diffusion_lib.course.exercises.verdicts import judge


def says(id, function):
    """The sentence of the verdict, without the exercise's number."""
    return judge(find(id), function).line.removeprefix(f"{id} — ")


def right(x0, i, noise, alpha_bar):
    return alpha_bar[i].sqrt() * x0 + (1 - alpha_bar[i]).sqrt() * noise


NONFINITE = {
    "the square root of a negative number is taken": lambda x0, i, noise, ab: (ab[i] - 1).sqrt() * noise + x0,
    "the logarithm of 0 is taken": lambda x0, i, noise, ab: x0 + torch.log(0 * noise),
    "the logarithm of a negative number is taken": lambda x0, i, noise, ab: x0 + torch.log(ab[i] - 2),
    "0 is divided by 0": lambda x0, i, noise, ab: x0 - (0 * noise) / (0 * noise),
    "a number is divided by 0": lambda x0, i, noise, ab: x0 / (ab[i] - ab[i]),
    "a negative number is raised to a broken power": lambda x0, i, noise, ab: (-noise.abs() - 1) ** 0.5 + x0,
    "acos is taken of a number beyond [-1, 1]": lambda x0, i, noise, ab: (x0.abs() + 2).acos(),
    "exp is taken of a number so large": lambda x0, i, noise, ab: (1000 * x0.abs() + 1000).exp(),
    "the std of a single number is taken": lambda x0, i, noise, ab: x0 / x0[0, 0, 0, :1].std(),
    "no operation of torch made it": lambda x0, i, noise, ab: torch.tensor([float("nan")]).expand_as(x0),
}


@pytest.mark.parametrize("origin", NONFINITE)
def test_the_operation_that_made_a_nan_is_named_with_its_line(origin):
    sentence = says("2.1", NONFINITE[origin])
    assert sentence.startswith("not yet. There is a NaN or an infinity in your answer for i = ")
    line, _, what = sentence.rpartition("`, ")  # the learner's line, which here holds the dictionary's key too
    assert (line or what).count("in line ") == (not origin.startswith("no operation"))
    assert what.startswith(origin) or (not line and origin in what)


def test_an_in_place_operation_is_seen_with_what_went_into_it():
    assert "the square root of a negative number" in says("2.1", lambda x0, i, noise, ab: (0 * x0 - 1).sqrt_())


def steps(*calls):
    """A training step of these calls: z(ero_grad), b(ackward), c(lip), s(tep); the loss is the right one."""

    def function(net, optimizer, x0, noise, t, alpha, sigma, longest):
        loss = (net(alpha * x0 + sigma * noise, t) - x0).square().mean()
        named = {
            "z": optimizer.zero_grad,
            "b": lambda: loss.backward(retain_graph=True),
            "c": lambda: torch.nn.utils.clip_grad_norm_(net.parameters(), longest),
            "s": optimizer.step,
        }
        for call in calls:
            named[call]()
        return loss.detach()

    return function


@pytest.mark.parametrize(
    ("calls", "sentence"),
    [
        ("zbcs", "right."),
        ("bzbcs", "right."),
        ("zbs", "followed the full gradient: clip it between loss.backward()"),
        ("zbsc", "followed the full gradient: clip it between loss.backward()"),
        ("zb", "the network never moved: optimizer.step() is missing."),
        ("", "neither loss.backward() nor optimizer.step() was called."),
        ("zs", "loss.backward() is missing: when optimizer.step() came, there was no gradient to follow"),
        ("s", "loss.backward() is missing: when optimizer.step() came, it moved along the old gradients only."),
        ("zsb", "optimizer.step() comes before loss.backward()"),
        ("bzs", "zero_grad() stands between loss.backward() and optimizer.step()"),
        ("zbcss", "optimizer.step() was called 2 times"),
        ("bcs", "The old gradients were still there"),
    ],
)
def test_the_order_of_a_training_step(calls, sentence):
    assert sentence in says("5.4", steps(*calls))


def test_a_step_that_moves_little_is_not_said_to_stand_still():
    def little(net, optimizer, *arguments):
        optimizer.param_groups[0]["lr"] = 1e-6
        return steps("z", "b", "c", "s")(net, optimizer, *arguments)

    assert "never moved" not in says("5.4", little)


def test_the_optimizer_is_torchs():
    """One step after another, beside `torch.optim.SGD` on a copy of the network."""
    ours, optimizer, x0, noise, t, *_ = draws(find("5.4"))[0].arguments()
    theirs, *_ = draws(find("5.4"))[0].arguments()
    sgd = torch.optim.SGD(theirs.parameters(), lr=optimizer.param_groups[0]["lr"])
    assert optimizer.param_groups[0].keys() <= sgd.param_groups[0].keys()
    for optim, net in ((optimizer, ours), (sgd, theirs)):

        def closure(optim=optim, net=net):
            optim.zero_grad(set_to_none=False)
            loss = (net(x0, t) - noise).square().mean()
            loss.backward()
            return loss

        assert optim.step(closure).requires_grad
        optim.param_groups[0]["lr"] = 0.02
        optim.load_state_dict(optim.state_dict())
        optim.zero_grad(set_to_none=False)
        assert all((parameter.grad == 0).all() for parameter in net.parameters())
        closure()
        assert optim.step() is None
        optim.zero_grad()
        assert all(parameter.grad is None for parameter in net.parameters())
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def loops(inner, outer=""):
    """A loop of these calls for each batch, and for each epoch: f(orward), z(ero_grad), b(ackward), s(tep), d(raw)."""

    def function(model, criterion, optimizer, dataloader, draw, num_epochs):
        reported = []
        for _ in range(num_epochs):
            losses = []
            for x0, _ in dataloader:
                noise, t, alpha, sigma = draw(x0)
                loss = criterion(model(alpha * x0 + sigma * noise, t), x0)
                named = {
                    "z": optimizer.zero_grad,
                    "b": lambda loss=loss: loss.backward(retain_graph=True),
                    "s": optimizer.step,
                    "d": lambda x0=x0: draw(x0),
                }
                for call in inner:
                    named[call]()
                losses.extend(len(x0) * [loss.item()])
            for call in outer:
                named[call]()
            reported.append(sum(losses) / len(losses))
        return reported

    return function


@pytest.mark.parametrize(
    ("inner", "outer", "sentence"),
    [
        ("zbs", "", "right."),
        ("bsz", "", "right."),
        ("bs", "", "The gradients are never set to zero"),
        ("bs", "z", "The gradients are set to zero once per epoch only"),
        ("zb", "", "the network never moved: optimizer.step() is missing."),
        ("", "", "The network never moved: neither loss.backward() nor optimizer.step() was called."),
        ("zs", "", "The network never moved: loss.backward() is missing."),
        ("bzs", "", "zero_grad() stands between loss.backward() and optimizer.step(): the step found no gradient."),
        ("zsb", "", "optimizer.step() comes before loss.backward()"),
        ("zb", "s", "The network moves once per epoch, along the last batch's gradient"),
        ("b", "sz", "The network moves once per epoch: optimizer.step() and zero_grad() belong into the inner loop"),
        ("zbss", "", "for each batch."),
        ("zbsd", "", "call draw(inputs) once for each batch"),
    ],
)
def test_the_order_of_a_training_loop(inner, outer, sentence):
    assert sentence in says("5.1", loops(inner, outer))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([1.0, 2.0], "torch.tensor(…) makes one of numbers"),
        ([torch.ones(2)] * 2, "torch.stack or torch.cat joins tensors"),
        ([[1.0], [2.0]], "torch.tensor(…) makes one of lists of numbers"),
        ([], "it is empty"),
        (torch.ones(3, 1, 4, 5, dtype=torch.int64), "they are whole numbers"),
        (torch.ones(3, 1, 4, 5, dtype=torch.float16), "rounding spoils them"),
        (torch.ones(3, 1, 4, 5, dtype=torch.complex64), "look for the root of a negative number"),
    ],
)
def test_what_is_returned_instead_of_floats(value, sentence):
    assert sentence in says("2.1", lambda x0, i, noise, ab: value)


def test_a_clip_is_named_wherever_it_is():
    assert "x0 clipped to [-1, 1]" in says("2.1", lambda x0, i, noise, ab: right(x0.clamp(-1, 1), i, noise, ab))
    assert "its result clipped to [-1, 1]" in says("2.1", lambda *args: right(*args).clamp(-1, 1))
    assert "clipped to [-0.7, 2.5]" in says("2.1", lambda *args: right(*args).clamp(-0.7, 2.5))


def test_a_mistake_that_stops_is_named_all_the_same():
    sentence = says("2.1", lambda x0, i, noise, ab: right(x0, i + 1, noise, ab))
    assert "the right formula with i + 1 where i belongs. Your function stopped with IndexError" in sentence


def test_two_slips_with_one_result_are_both_named():
    sentence = says("4.4", lambda x_t, v, alpha, sigma: (alpha * x_t + sigma * v, sigma * x_t + alpha * v))
    assert "The eps is right. Your x0 is that of the right formula with" in sentence
    assert "which comes to the same" in sentence


class Hostile:
    """Raises whatever is done with it."""

    @property
    def __class__(self):
        raise RuntimeError("no class")


class Loud(Exception):
    def __str__(self):
        raise KeyboardInterrupt


@pytest.mark.parametrize("id", ["2.1", "5.4"])
def test_nothing_is_raised(id, capsys):
    def interrupts(*arguments):
        raise KeyboardInterrupt

    def shouts(*arguments):
        raise Loud

    for function in (lambda *arguments: Hostile(), interrupts, shouts):
        check(id, function)
        out, err = capsys.readouterr()
        assert out.startswith(f"✗ {id} — not yet. ") and not err


def test_an_interrupt_while_the_draws_are_made_gets_a_sentence(monkeypatch):
    def interrupted(exercise):
        raise KeyboardInterrupt

    monkeypatch.setattr("diffusion_lib.course.exercises.verdicts.draws", interrupted)
    assert "You interrupted the check" in says("2.1", right)


@pytest.mark.parametrize("id", ["0.2", "1.1", "2.2", "5.4", "6.3"])
def test_variants_are_wrong_or_left_out(id):
    """The right answer is no slip of itself."""
    assert says(id, find(id).reference) == "right."
    assert len(variants(find(id))) > 10
    assert not any(isinstance(part, Stopped) for draw in draws(find(id)) for part in draw.answer)


def test_what_changes_nothing_is_no_slip():
    """Data in another order give the same answer: an answer that is a little off must not be said to have that slip."""
    exercise = find("4.2")
    sentence = says("4.2", lambda *arguments: exercise.reference(*arguments) * (1 + 2.2 * exercise.tolerance))
    assert sentence.startswith("not yet. ") and "of the right formula with" not in sentence


def test_a_clip_is_named_by_the_side_that_it_cuts():
    exact = torch.tensor([0.0712345678901, 0.5, 3.0], dtype=torch.float64)
    cut = exact.clamp_max(2.0).float().double()  # whose least number is a rounding above the exact one
    assert cut.min() > exact.min()
    assert _clipped(find("3.1"), [(exact, cut)]) == "2 from above"
    assert _clipped(find("3.1"), [(exact, exact.clamp(0.3, 2.0))]) == "[0.3, 2]"
    assert _clipped(find("3.1"), [(exact, exact.clamp_min(0.3))]) == "0.3 from below"
