"""Denoisers against quadrature and brute force; guidance and clipping against their definitions."""

import pytest
import torch
from torch import nn

from diffusion_lib.denoisers import Clipped, Denoiser, Empirical, Exact, Guided, Inpainted, Latent
from diffusion_lib.denoisers.denoiser import evaluating
from diffusion_lib.gaussians import GaussianMixture
from diffusion_lib.networks import MLP
from diffusion_lib.sampling import sample, walk
from diffusion_lib.schedules import EDM, Cosine, CosineBeta, Flow, LinearBeta
from diffusion_lib.times import uniform_times

F64 = torch.float64


class Affine(nn.Module):
    """A network with a known answer, that depends on x, t and the label, and behaves differently in training mode."""

    conditional = True

    def null(self, cond):
        return torch.full_like(cond, -1)

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5, dtype=F64))
        self.calls = []

    def forward(self, x, t, cond=None):
        self.calls.append((x.detach().clone(), t.clone(), self.training))
        label = torch.full((len(x),), -1) if cond is None else cond
        shape = (-1,) + (1,) * (x.ndim - 1)
        channel = torch.arange(x.shape[1], dtype=x.dtype).reshape((1, -1) + (1,) * (x.ndim - 2)) + 1
        return self.scale * x + t.reshape(shape) + label.to(x).reshape(shape) * channel


def test_a_network_that_is_right_gives_x0_and_eps(schedule):
    x0, eps = torch.randn(2, 4, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0.1, 0.3, 0.6, 0.9], dtype=F64)
    for predicts in ("x0", "eps", "v", "velocity"):
        denoise = Denoiser(_Constant(), schedule, predicts)
        alpha, sigma, p, q = denoise.coefficients(t, x0)
        denoise.net.answer = p * x0 + q * eps
        found = denoise(alpha * x0 + sigma * eps, t)
        # the worst amplification here is 1/sigma = 500 (EDM near t = 0), of float64 rounding
        torch.testing.assert_close(found.x0, x0, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(found.eps, eps, rtol=1e-9, atol=1e-9)


class _Constant(nn.Module):
    def forward(self, x, t, cond=None):
        return self.answer


def test_the_network_sees_time_as_one_number_a_sample():
    net = Affine()
    Denoiser(net, Cosine(), "v")(torch.zeros(3, 2, dtype=F64), 0.25)
    assert torch.equal(net.calls[0][1], torch.full((3,), 0.25, dtype=F64))


@pytest.mark.parametrize("training", [True, False])
def test_a_prediction_is_made_in_evaluation_mode_and_the_mode_restored(training):
    net = Affine().train(training)
    denoise = Denoiser(net, Cosine(), "v")
    denoise(torch.zeros(3, 2, dtype=F64), 0.25)
    assert net.calls[-1][2] is False and net.training is training
    with pytest.raises(RuntimeError):
        denoise(torch.zeros(3, 2, dtype=F64), 0.25, torch.zeros(7))  # the network fails: too many labels
    assert net.training is training


@pytest.mark.parametrize(
    "schedule, predicts, t, message",
    [
        (
            Flow(),
            "eps",
            1.0,
            r"eps cannot recover x0 where alpha = 0 \(t = 1 of Flow\(\)\): start later, or predict 'v'",
        ),
        (Cosine(), "eps", 1.0, r"eps cannot recover x0 where alpha = 0 \(t = 1 of Cosine\(s=0.008\)\)"),
        (LinearBeta(), "x0", 0.0, r"x0 cannot recover eps where sigma = 0 \(t = 0 of LinearBeta\("),
    ],
)
def test_a_target_that_lost_the_answer_is_refused(schedule, predicts, t, message):
    net = _Constant()
    net.answer = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=message):
        Denoiser(net, schedule, predicts)(torch.zeros(2, 3), t)


@pytest.mark.parametrize(
    "schedule, predicts, t, message",
    [
        (Flow(), "eps", [0.5, 1.0], r"eps cannot recover x0 where alpha = 0 \(t = 1 of"),
        (Flow(), "x0", [0.9, 0.0], r"x0 cannot recover eps where sigma = 0 \(t = 0 of .*stop earlier"),
        (Cosine(), "velocity", [0.9, 0.0], r"velocity cannot recover eps where sigma = 0 \(t = 0 of .*stop earlier"),
    ],
)
def test_of_many_times_the_one_that_lost_the_answer_is_named(schedule, predicts, t, message):
    net = _Constant()
    net.answer = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=message):
        Denoiser(net, schedule, predicts)(torch.zeros(2, 3), torch.tensor(t))


class Elsewhere(nn.Module):
    """A network on another device, which notes where its arguments are."""

    conditional = True

    def null(self, cond):
        return torch.zeros_like(cond)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2, device="meta")

    def forward(self, x, t, cond=None):
        self.seen = {x.device.type, t.device.type, cond.device.type}
        return torch.zeros(x.shape)


def test_x_goes_where_the_network_is_and_the_answer_where_x_is():
    net, cond = Elsewhere(), torch.tensor([0, 1, 2])
    for denoise in (Denoiser(net, Cosine()), Guided(Denoiser(net, Cosine()), 2.0)):
        found = denoise(torch.ones(3, 2), torch.tensor([0.1, 0.2, 0.3], dtype=F64), cond)
        assert net.seen == {"meta"}
        assert found.x0.device.type == found.eps.device.type == "cpu"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_network_of_another_precision_is_asked_in_it_and_answers_in_that_of_x(dtype):
    net = MLP(2, classes=3)
    for x in (torch.randn(4, 2), torch.randn(4, 2, dtype=F64)):
        found = Denoiser(net.to(dtype), Cosine())(x, 0.5, torch.tensor([0, 1, 2, -1]))
        assert found.x0.dtype == found.eps.dtype == x.dtype
        expected = Denoiser(net.double(), Cosine())(x.double(), 0.5, torch.tensor([0, 1, 2, -1])).x0
        # eight layers' rounding of numbers near 1
        torch.testing.assert_close(found.x0.double(), expected, rtol=0, atol=20 * torch.finfo(dtype).eps + 1e-6)
    assert sample(Denoiser(net.to(dtype), Cosine()), (2,), 4, steps=3).isfinite().all()


def test_half_precision_pictures_do_not_round_the_time():
    net = Watch()
    Denoiser(net, Flow(), "x0")(torch.zeros(1, 2, dtype=torch.bfloat16), 0.999)
    assert abs(net.t.item() - 0.999) < 1e-6


class Watch(nn.Module):
    """Answers 0, and keeps the times that it saw."""

    def forward(self, x, t, cond=None):
        self.t = t
        return torch.zeros_like(x)


class Squeezed(nn.Module):
    """A learner's network that forgot a dimension."""

    def forward(self, x, t, cond=None):
        return x.squeeze(-1)


def test_an_answer_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"Squeezed answered with shape \(4,\) for x of shape \(4, 1\): let it return"):
        Denoiser(Squeezed(), Cosine())(torch.zeros(4, 1), 0.5)


def test_a_frozen_part_stays_in_evaluation_mode():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    net[1].eval()
    with evaluating(net):
        assert not any(part.training for part in net.modules())
    assert [part.training for part in net.modules()] == [True, True, False]


def test_eps_at_the_end_of_a_clipped_cosine_table_is_bounded():
    """PITFALL: 1 / sqrt(alpha_bar_T) is about 2e4, allowed but finite."""
    net = _Constant()
    net.answer = torch.ones(2, 3)
    found = Denoiser(net, CosineBeta(), "eps")(torch.ones(2, 3) * 1.5, 1.0)
    assert found.x0.isfinite().all() and found.x0.abs().max() < 3e4


@pytest.mark.parametrize("schedule_", [Cosine(), Flow(), EDM()], ids=repr)
def test_a_network_sees_inputs_of_unit_size(schedule_):
    """For data of variance 1, at every time; with scale_input=False it sees x itself."""
    seen = []

    class Look(nn.Module):
        def forward(self, x, t, cond=None):
            seen.append(x)
            return torch.zeros_like(x)

    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(20_000, 1, dtype=F64, generator=generator)
    for t in (0.0, 0.3, 0.8, 1.0):
        x = schedule_.marginal(x0, t).sample(generator)
        Denoiser(Look(), schedule_, "v")(x, t)
        assert abs(seen[-1].var() - 1) < 4 * (2 / 20_000) ** 0.5
        torch.testing.assert_close(seen[-1] * torch.hypot(*schedule_.pair(t, x)), x)
        Denoiser(Look(), schedule_, "v", scale_input=False)(x, t)
        assert torch.equal(seen[-1], x)


def test_a_network_that_does_not_say_so_takes_no_condition():
    denoise = Denoiser(_Constant(), Cosine())
    assert not denoise.conditional and denoise.null(None) is None
    with pytest.raises(ValueError, match=r"_Constant takes no condition: leave cond out, or give it conditional"):
        denoise.null(torch.zeros(2))


def test_unknown_target_is_refused():
    with pytest.raises(ValueError, match="predicts='noise' is none of"):
        Denoiser(nn.Identity(), Cosine(), "noise")


# --- exact denoisers ---------------------------------------------------------------------------------------


def test_exact_denoiser_equals_quadrature(schedule, line_mixture):
    """E[x0 | x_t] over a fine grid of x0; the sum is exact to rounding for smooth integrands that vanish at both ends."""
    denoise = Exact(line_mixture, schedule)
    x0 = torch.linspace(-4, 4, 400_001, dtype=F64)
    for t in (0.3, 0.6, 0.9, 1.0):
        alpha, sigma = (c.item() for c in schedule.pair(t, x0))
        x = torch.tensor([[-1.2], [0.1], [0.9]], dtype=F64) * max(1, sigma)
        found = denoise(x, t)
        for i in range(3):
            log_w = line_mixture.log_prob(x0[:, None]) - (x[i] - alpha * x0) ** 2 / (2 * sigma**2)
            w = log_w.softmax(0)
            assert abs(found.x0[i].item() - (w * x0).sum()) < 1e-8
            assert abs(found.eps[i].item() - (w * (x[i] - alpha * x0)).sum() / sigma) < 1e-8


def test_exact_answers_fit_together(schedule, mixture):
    x = torch.randn(50, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    t = torch.linspace(0.02, 1, 50, dtype=F64)
    found = Exact(mixture, schedule)(x, t)
    alpha, sigma = schedule.pair(t, x)
    torch.testing.assert_close(alpha * found.x0 + sigma * found.eps, x, rtol=1e-12, atol=1e-12)


def test_at_pure_noise_the_best_answer_is_the_mean_of_the_data(mixture):
    x = torch.randn(10, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    found = Exact(mixture, Flow())(x, 1.0)
    torch.testing.assert_close(found.x0, mixture.mean.expand(10, 2))
    torch.testing.assert_close(found.eps, x)
    assert Exact(mixture, Flow())(x, 0.3).x0.var() > 0.1  # and it changes with t


def test_exact_beats_every_other_denoiser(mixture, generator):
    """The mean squared error of E[x0 | x_t] is the least: any perturbation is worse by its own mean square."""
    q, t = Cosine(), 0.5
    x0 = mixture.sample(200_000, generator)
    x = q.marginal(x0, t).sample(generator)
    best = Exact(mixture, q)(x, t).x0
    for other in (best + 0.1, best * 0.95, x, 2 * best - x0.mean(0)):
        excess = (other - x0).square().sum(1) - (best - x0).square().sum(1)
        predicted = (other - best).square().sum(1).mean()
        assert excess.mean() > 0
        assert abs(excess.mean() - predicted) < 4 * excess.std() / len(x) ** 0.5


def test_exact_denoiser_with_labels_knows_the_component(mixture):
    x = torch.randn(6, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    denoise = Exact(mixture, Cosine())
    cond = torch.tensor([0, 1, -1, 1, 0, -1])
    found = denoise(x, 0.5, cond)
    for k in (0, 1):
        alone = Exact(mixture.component(k), Cosine())(x, 0.5)
        torch.testing.assert_close(found.x0[cond == k], alone.x0[cond == k])
        torch.testing.assert_close(found.eps[cond == k], alone.eps[cond == k])
    torch.testing.assert_close(found.x0[cond == -1], denoise(x, 0.5).x0[cond == -1])
    with pytest.raises(
        ValueError, match="label 2 is out of range: there are 2 classes, 0 to 1, and -1 leaves a sample free"
    ):
        denoise(x, 0.5, cond + 1)


def test_exact_denoiser_wants_points_of_its_dimension_and_a_label_for_each(mixture):
    denoise, labels = Exact(mixture, Cosine()), torch.tensor([0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"points have shape \(4, 1\), this mixture takes \(B, 2\)"):
        denoise(torch.zeros(4, 1, dtype=F64), 0.5)
    for count, cond in ((4, labels[:1]), (1, labels), (4, labels[:, None])):
        with pytest.raises(ValueError, match=rf"for {count} samples: give labels \({count},\), one for each"):
            denoise(torch.zeros(count, 2, dtype=F64), 0.5, cond)
    with pytest.raises(ValueError, match=r"labels are torch.uint8, .* pass labels.long\(\)"):
        denoise(torch.zeros(4, 2, dtype=F64), 0.5, labels.to(torch.uint8))  # as an index it would be a mask


def test_empirical_wants_a_label_for_each():
    denoise = Empirical(torch.eye(4), Cosine(), torch.tensor([0, 1, 0, 1]))
    for count, cond in ((4, [1]), (1, [0, 1])):
        with pytest.raises(ValueError, match=rf"cond has shape \({len(cond)},\) for {count} samples"):
            denoise.weights(torch.zeros(count, 4), 0.5, torch.tensor(cond))


def test_empirical_is_the_brute_force_posterior_mean(schedule):
    data = torch.randn(20, 1, 3, 3, dtype=F64, generator=torch.Generator().manual_seed(1))
    x = torch.randn(4, 1, 3, 3, dtype=F64, generator=torch.Generator().manual_seed(2))
    for t in (0.3, torch.tensor([0.2, 0.5, 0.9, 1.0])):
        alpha, sigma = schedule.pair(t, x)
        found = Empirical(data, schedule)(x, t)
        squared = (x[:, None] - alpha.reshape(-1, 1, 1, 1, 1) * data).square().flatten(2).sum(-1)
        w = (-squared / (2 * sigma.reshape(-1, 1) ** 2)).softmax(1)
        expected = torch.einsum("bn,nchw->bchw", w, data)
        torch.testing.assert_close(found.x0, expected, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(alpha * found.x0 + sigma * found.eps, x, rtol=1e-9, atol=1e-9)


def test_empirical_memorises_and_honours_labels():
    data = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(20) % 4
    denoise = Empirical(data, Cosine(), labels)
    x = Cosine().marginal(data[:6], 0.02).mean
    torch.testing.assert_close(denoise(x, 0.02).x0, data[:6])
    torch.testing.assert_close(denoise(data[:6], 0.0).x0, data[:6])
    assert denoise.weights(x, 0.9, torch.full((6,), 3))[:, labels != 3].abs().max() == 0
    with pytest.raises(ValueError, match="no labels"):
        Empirical(data, Cosine())(x, 0.5, labels[:6])
    with pytest.raises(ValueError, match="no member has label 1"):
        Empirical(data, Cosine(), 2 * labels)(x, 0.5, labels[:6])


def test_empirical_without_noise_answers_the_nearest_member():
    data = 3 * torch.randn(20, 64, generator=torch.Generator().manual_seed(1))
    labels, cond = torch.arange(20) % 4, torch.tensor([0, 1, 2, -1])
    x = torch.randn(4, 64, generator=torch.Generator().manual_seed(2))
    distance = torch.cdist(x, data)
    other = (labels != cond[:, None]) & (cond != -1)[:, None]
    denoise = Empirical(data, Flow(), labels)
    assert torch.equal(denoise(x, 0.0).x0, data[distance.argmin(1)])
    assert torch.equal(denoise(x, 0.0, cond).x0, data[distance.masked_fill(other, torch.inf).argmin(1)])


# --- guidance and clipping ---------------------------------------------------------------------------------


def test_guidance_is_uncond_plus_scale_times_difference():
    x = torch.randn(4, 3, 2, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    cond = torch.tensor([0, 1, 2, 1])
    inner = Denoiser(Affine(), Cosine(), "v")
    with torch.no_grad():
        uncond, given = inner(x, 0.4), inner(x, 0.4, cond)
        assert torch.equal(Guided(inner, 0.0)(x, 0.4, cond).x0, uncond.x0)
        assert torch.equal(Guided(inner, 1.0)(x, 0.4, cond).x0, given.x0)
        for scale in (0.5, 2.0, 7.5, -1.0):
            found = Guided(inner, scale)(x, 0.4, cond)
            torch.testing.assert_close(found.x0, uncond.x0 + scale * (given.x0 - uncond.x0), rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(found.eps, uncond.eps + scale * (given.eps - uncond.eps), rtol=1e-12, atol=1e-12)
            moved = (found.x0 - given.x0).abs().flatten(2).amax((0, 2))
            assert (moved > 1e-3).all()  # every channel is guided


@pytest.mark.parametrize("scale", torch.linspace(-1, 8, 37).tolist())
def test_guidance_is_its_formula_at_every_scale(scale, mixture):
    """Against the formula on the exact denoiser, whose two answers are known; 37 scales, 0 and 1 among them."""
    x = torch.randn(6, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    cond, inner = torch.tensor([0, 1, 0, 1, -1, 0]), Exact(mixture, Cosine())
    free, asked, guided = inner(x, 0.5), inner(x, 0.5, cond), Guided(inner, scale)(x, 0.5, cond)
    for part in ("x0", "eps"):
        uncond, given = getattr(free, part), getattr(asked, part)
        torch.testing.assert_close(getattr(guided, part), uncond + scale * (given - uncond), rtol=1e-11, atol=1e-11)


def test_guidance_of_scale_0_and_1_asks_for_one_half_only():
    x, cond = torch.randn(4, 2, dtype=F64, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1])
    for scale in (0.0, 1.0):
        net = Affine()
        Guided(Denoiser(net, Cosine(), "v"), scale)(x, 0.3, cond)
        assert [len(call[0]) for call in net.calls] == [4]


def test_labels_are_checked_before_they_leave_the_cpu():
    """On another device nothing could look at them: here one that holds no values at all."""
    net = MLP(2, width=8, depth=1, classes=3).to("meta")
    for cond, message in ((torch.tensor([0, 3]), "label 3 is out of range"), (torch.tensor([0]), r"shape \(2,\)")):
        with pytest.raises(ValueError, match=message):
            Denoiser(net, Cosine()).output(torch.zeros(2, 2), 0.5, cond)


def test_guidance_asks_once_for_both_halves_with_the_null_label():
    net = Affine()
    x = torch.randn(4, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    Guided(Denoiser(net, Cosine(), "v"), 3.0)(x, torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([0, 1, 0, 1]))
    assert len(net.calls) == 1 and len(net.calls[0][0]) == 8
    Guided(Denoiser(net, Cosine(), "v"), 3.0)(x, torch.tensor([0.1]), torch.tensor([0, 1, 0, 1]))
    assert torch.equal(net.calls[1][1], torch.full((8,), 0.1).to(F64))


def test_clipping_is_the_same_in_every_formula():
    x = 3 * torch.randn(50, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    inner = Denoiser(Affine(), Cosine(), "v")
    with torch.no_grad():
        free, clipped = inner(x, 0.6), Clipped(inner)(x, 0.6)
    assert (free.x0.abs() > 1).any()
    assert clipped.x0.abs().max() <= 1
    alpha, sigma = Cosine().pair(0.6, x)
    torch.testing.assert_close(alpha * clipped.x0 + sigma * clipped.eps, x)
    inside = free.x0.abs() <= 1
    assert torch.equal(free.eps[inside], clipped.eps[inside])
    # the two usual forms of the posterior mean, from (x_t, x0) and from (x_t, eps), agree after clipping too
    q, s, t = Cosine(), 0.5, 0.6
    from_x0 = q.posterior(x, clipped.x0, s, t).mean
    from_eps = q.posterior(x, (x - sigma * clipped.eps) / alpha, s, t).mean
    torch.testing.assert_close(from_x0, from_eps)


def test_a_known_part_of_another_number_of_samples_is_refused(mixture):
    known, mask = torch.zeros(4, 2, dtype=F64), torch.tensor([True, False])
    inside = Inpainted(Exact(mixture, Flow()), known, mask)
    message = r"known has the shape \(4, 2\), which does not fit x of shape \(8, 2\): give one sample, or as many"
    with pytest.raises(ValueError, match=message):
        Guided(inside, 2.0)(torch.zeros(4, 2, dtype=F64), 0.5, torch.zeros(4, dtype=torch.long))
    with pytest.raises(ValueError, match=r"\(4, 2\), which does not fit x of shape \(1, 2\)"):
        inside(torch.zeros(1, 2, dtype=F64), 0.5)
    outside = Inpainted(Guided(Exact(mixture, Flow()), 2.0), known, mask)
    assert outside(torch.zeros(4, 2, dtype=F64), 0.5, torch.zeros(4, dtype=torch.long)).x0[:, 0].eq(0).all()


def test_a_walk_ends_at_what_is_known(schedule, mixture, generator):
    """Exactly there, and on the way at the noise level of each stop: x_t = alpha known + sigma noise with one noise."""
    known, mask = torch.tensor([0.3, 0.0], dtype=F64), torch.tensor([True, False])
    denoise = Inpainted(Exact(mixture, schedule), known, mask)
    x = torch.randn(50, 2, generator=generator, dtype=F64) * torch.hypot(schedule.alpha(1.0), schedule.sigma(1.0))
    stops = list(walk(denoise, x, uniform_times(20)))
    noise = (x[:, 0] - schedule.alpha(1.0) * 0.3) / schedule.sigma(1.0)
    for stop in stops:
        expected = schedule.alpha(stop.t) * 0.3 + schedule.sigma(stop.t) * noise
        torch.testing.assert_close(stop.x[:, 0], expected, rtol=1e-9, atol=1e-9)
    assert stops[-1].x[:, 1].std() > 0.1


@pytest.mark.parametrize("step", ["ddim", "ancestral", "heun", "dpmpp_2m"])
def test_inpainting_draws_the_conditional_distribution_where_parts_are_independent(step):
    """Two independent peaks in each coordinate: whatever the first is told, the second has its own distribution."""
    ends = torch.tensor([[-1.0, -0.8], [-1.0, 1.2], [1.0, -0.8], [1.0, 1.2]], dtype=F64)
    weights = torch.tensor([0.15, 0.35, 0.15, 0.35], dtype=F64)  # 0.5 × 0.5 and 0.3 × 0.7
    mixture = GaussianMixture(weights, ends, torch.full((4,), 0.01, dtype=F64))
    denoise = Inpainted(Exact(mixture, Cosine()), torch.tensor([1.0, 0.0], dtype=F64), torch.tensor([True, False]))
    n = 4000
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(3), dtype=F64)
    *_, end = walk(denoise, x, uniform_times(60), step, **{"generator": torch.Generator().manual_seed(4)})
    assert (end.x[:, 0] - 1).abs().max() < 1e-9
    right = (end.x[:, 1] > 0.2).double().mean().item()
    assert abs(right - 0.7) < 4 * (0.21 / n) ** 0.5 + 0.01  # the steps' own error


def test_inpainting_asks_for_the_noised_picture_as_it_is_and_passes_the_condition_on(mixture):
    denoise = Exact(mixture, Cosine())
    x, cond = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=F64), torch.tensor([0, 1, -1, 0])
    told = Inpainted(denoise, torch.zeros(2, dtype=F64), torch.tensor([False, False]))
    assert torch.equal(told(x, 0.4, cond).x0, denoise(x, 0.4, cond).x0)
    assert torch.equal(told(x, 0.4, cond).eps, denoise(x, 0.4, cond).eps)
    assert torch.equal(told.null(cond), denoise.null(cond))
    clean = Inpainted(denoise, x, torch.tensor([True, True]))(x, 0.0)
    assert torch.equal(clean.x0, x) and not clean.eps.any()
    with pytest.raises(ValueError, match="mask is torch.float32, it must be bool"):
        Inpainted(denoise, x, torch.ones(2))


class Doubling:
    """Latents are half the size of pictures."""

    latent_shape = (2,)

    def encode(self, x):
        return x / 2

    def decode(self, z):
        return 2 * z


def test_a_latent_denoiser_is_called_as_every_other(mixture):
    """Samplers and guidance know no difference; what comes out is decoded."""
    denoise = Exact(mixture, Cosine())
    latent = Latent(Guided(denoise, 2.0), Doubling())
    x, cond = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=F64), torch.tensor([0, 1, 0, 1, 1, 0])
    inside, outside = (list(walk(d, x, uniform_times(5), cond=cond)) for d in (Guided(denoise, 2.0), latent))
    pictures = list(latent.decoded(outside))
    for a, b, c in zip(inside, outside, pictures, strict=True):
        assert torch.equal(a.x, b.x) and torch.equal(2 * a.x, c.x) and torch.equal(2 * a.x0, c.x0) and a.t == c.t
    assert latent.shape == (2,) and torch.equal(latent.decode(latent.encode(x)), x)
    assert sample(latent, latent.shape, 3, cond=cond[:3]).shape == (3, 2)
