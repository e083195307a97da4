"""Evaluation: distances against closed forms, estimates against their standard errors, and what bad input says."""

import math
import warnings

import pytest
import torch
from scipy.linalg import sqrtm

from diffusion_lib import data, evaluation
from diffusion_lib.evaluation import (
    Classifier,
    Estimate,
    accuracy,
    bootstrap,
    classify,
    classify_all,
    features,
    frechet,
    frechet_distance,
    gaussian_frechet,
    load_classifier,
    nearest_neighbours,
    precision_recall,
    real_floor,
    save_classifier,
    sliced_wasserstein,
    train_classifier,
    wasserstein,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def held_out():
    return data.load("digits", train=False)


# --- Frechet distance ---------------------------------------------------------------------------


def test_frechet_of_gaussians_is_the_closed_form():
    mean = torch.tensor([1.0, -2.0])
    a, b = torch.diag(torch.tensor([4.0, 0.25])), torch.diag(torch.tensor([1.0, 9.0]))
    # diagonal covariances: |m|² + sum of (std_a - std_b)²
    assert gaussian_frechet(mean, a, torch.zeros(2), b) == pytest.approx(5 + (2 - 1) ** 2 + (0.5 - 3) ** 2, rel=1e-12)


def test_frechet_of_covariances_that_do_not_commute_agrees_with_scipy():
    x, y = normal(5, 5), normal(5, 5, seed=1)
    a, b = x @ x.T, y @ y.T
    assert (a @ b - b @ a).norm() > 1
    zero = torch.zeros(5)
    exact = a.trace() + b.trace() - 2 * sqrtm((a @ b).numpy()).real.trace()
    assert gaussian_frechet(zero, a, zero, b) == pytest.approx(float(exact), rel=1e-9)


def test_frechet_of_singular_covariances_and_of_a_set_with_itself():
    rank_one = torch.outer(torch.ones(3), torch.ones(3))
    assert gaussian_frechet(torch.zeros(3), rank_one, torch.zeros(3), 4 * rank_one) == pytest.approx(3.0)
    x = normal(10, 30)  # fewer rows than columns
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)  # sqrt of float64 rounding, times 30 eigenvalues


def test_frechet_distance_of_samples_is_the_closed_form_within_its_standard_error():
    mean, std = torch.tensor([1.0, 0, -1]), torch.tensor([1.0, 2, 0.5])
    exact = float(mean.square().sum() + (std - 1).square().sum())
    n, distances = 10_000, []
    for seed in range(20):
        x = normal(2 * n, 3, seed=seed)
        distances.append(frechet_distance(mean + std * x[:n], x[n:]))
    distances = torch.tensor(distances)
    standard_error = float(distances.std() / math.sqrt(len(distances)))
    bias = float((std.square() + 1).sum()) / n  # of |m_a - m_b|², the larger part
    assert abs(float(distances.mean()) - exact) < 4 * standard_error + bias
    assert standard_error < 0.02 * exact


def test_rounding_makes_no_distance_negative():
    for seed in range(20):  # without its limit, half of them are about -1e-15
        x = normal(10, 4, seed=seed)
        assert frechet_distance(x, x) >= 0


def test_frechet_distance_of_one_feature_is_the_textbook_formula():
    a, b = normal(40, 1), 3 * normal(60, 1, seed=1) + 1
    exact = (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2
    assert frechet_distance(a, b) == pytest.approx(float(exact), rel=1e-12)


def test_frechet_distance_of_few_rows_is_that_of_their_unbiased_covariances():
    a, b = normal(12, 4), 2 * normal(9, 4, seed=1)
    exact = gaussian_frechet(a.mean(0), a.T.cov(), b.mean(0), b.T.cov())
    assert frechet_distance(a, b) == pytest.approx(exact, rel=1e-12)
    a, b = a.float() + 100, b.float() + 100
    assert frechet_distance(a, b) == frechet_distance(a.double(), b.double())  # all in float64


@pytest.mark.parametrize(
    "a, b, message",
    [
        (torch.zeros(1, 3), torch.zeros(5, 3), "N at least 2"),
        (torch.zeros(5, 3), torch.zeros(5, 2), "a has 3 features and b has 2"),
        (torch.tensor([[0.0], [math.nan], [1.0]]), torch.zeros(5, 1), r"a\[1\] is not finite \(1 of 3 rows\)"),
    ],
)
def test_frechet_refuses_what_it_cannot_measure(a, b, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(a, b)


def test_floor_of_real_data_falls_like_one_over_n():
    x = normal(4000, 16)
    floors = {n: real_floor(x, n, None, repeats=10) for n in (100, 400, 1600)}
    # To first order at covariance I, E d = 2 D / n for the means plus |C_a - C_b|² / 4 = D (D + 1) / (2 n)
    for n in (400, 1600):
        exact = (2 * 16 + 16 * 17 / 2) / n
        standard_error = floors[n].spread / math.sqrt(10)
        assert abs(floors[n].value - exact) < 4 * standard_error + exact * 16 / n  # next order
    assert floors[100].value > 3 * floors[400].value > 9 * floors[1600].value


def test_floor_states_the_scatter_of_a_single_distance():
    floor = real_floor(normal(4000, 3), 30, None, repeats=200)
    draws = torch.tensor(
        [frechet_distance(normal(30, 3, seed=2 * i), normal(30, 3, seed=2 * i + 1)) for i in range(200)]
    )
    # two spreads of 200 draws each; and two means
    assert floor.spread == pytest.approx(float(draws.std()), rel=4 * math.sqrt(2 / 400))
    assert floor.value == pytest.approx(float(draws.mean()), abs=4 * math.sqrt(2 / 200) * float(draws.std()))


def test_floor_uses_the_sizes_asked_for_and_refuses_more_rows_than_there_are():
    x = normal(300, 4)
    assert real_floor(x, 20, None, against=280).value < real_floor(x, 20, None).value
    assert real_floor(x, 50, None, seed=3) == real_floor(x, 50, None, seed=3) != real_floor(x, 50, None, seed=4)
    with pytest.raises(
        ValueError, match="n=200 and against=200 need 400 different real rows, there are 300: use n=150"
    ):
        real_floor(x, 200, None)


def test_bootstrap_spread_of_a_mean_is_its_standard_error():
    x = normal(500)
    estimate = bootstrap(lambda v: float(v.mean()), x, repeats=400)
    assert estimate.value == float(x.mean())
    exact = float(x.std(correction=0)) / math.sqrt(500)
    assert estimate.spread == pytest.approx(exact, rel=4 / math.sqrt(2 * 400))  # 4 standard errors of a spread


def test_bootstrap_draws_each_sample_anew():
    """The spread of a difference of means is that of independent draws: here it would be 0 if rows were shared."""
    x = normal(300)
    result = bootstrap(lambda a, b: float(a.mean() - b.mean()), x, x, repeats=400)
    exact = float(x.std(correction=0)) * math.sqrt(2 / 300)
    assert result.spread == pytest.approx(exact, rel=4 / math.sqrt(2 * 400))


def test_a_spread_of_two_draws_is_their_sample_standard_deviation():
    values = []

    def statistic(v):
        values.append(float(v.mean()))
        return values[-1]

    estimate = bootstrap(statistic, normal(20), repeats=2)
    (first, second), value = values[:2], values[2]
    assert estimate.value == value
    assert estimate.spread == pytest.approx(abs(first - second) / math.sqrt(2), rel=1e-9)


def test_bootstrap_follows_its_seed_and_agrees_with_scipy():
    from scipy.stats import bootstrap as scipy_bootstrap

    x = normal(80)

    def statistic(v):
        return float(v.std())

    result = bootstrap(statistic, x, repeats=500)
    assert result == bootstrap(statistic, x, repeats=500) != bootstrap(statistic, x, repeats=500, seed=1)
    reference = scipy_bootstrap(
        (x.numpy(),), lambda v: v.std(ddof=1), n_resamples=500, vectorized=False, method="percentile", rng=0
    )
    # two spreads of 500 draws each, each with a relative standard error of 1 / sqrt(2 · 500)
    assert result.spread == pytest.approx(reference.standard_error, rel=4 * math.sqrt(2 / 1000))


def test_a_spread_needs_two_draws():
    x = normal(20, 2)
    with pytest.raises(ValueError, match="repeats=1: a spread needs at least 2 draws"):
        bootstrap(lambda v: float(v.mean()), x, repeats=1)
    with pytest.raises(ValueError, match="repeats=1: a spread needs at least 2 draws"):
        real_floor(x, 5, None, repeats=1)


def test_estimates_print_two_digits_of_their_spread():
    assert str(Estimate(12.3456, 0.0789)) == "12.346 ± 0.079"
    assert str(Estimate(1234.5, 67.8)) == "1234 ± 68"
    assert str(Estimate(1.5, math.nan)) == "1.50 ± nan" and str(Estimate(1.5, 0.0)) == "1.50 ± 0.00"
    assert eval(repr(Estimate(1.0, 0.5))) == Estimate(1.0, 0.5)


# --- distances ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n, m", [(5, 5), (6, 4), (7, 3), (1, 8)])
def test_wasserstein_of_unequal_sizes_equals_that_of_repeated_rows(n, m):
    a, b = normal(n, 3), normal(m, 3, seed=1)
    long_a, long_b = a.repeat_interleave(m, 0).sort(0).values, b.repeat_interleave(n, 0).sort(0).values
    for p in (1.0, 2.0):
        assert torch.allclose(wasserstein(a, b, p=p), ((long_a - long_b).abs() ** p).mean(0), rtol=1e-12)


def test_wasserstein_agrees_with_scipy():
    from scipy.stats import wasserstein_distance

    a, b = normal(37, 1), 2 * normal(23, 1, seed=1) + 1
    exact = wasserstein_distance(a[:, 0].numpy(), b[:, 0].numpy())
    assert float(wasserstein(a, b, p=1.0)) == pytest.approx(exact, rel=1e-12)
    assert sliced_wasserstein(a, b, p=1.0, directions=3) == pytest.approx(exact, rel=1e-12)  # on a line, u is 1 or -1
    assert sliced_wasserstein(a, b, directions=3) == pytest.approx(float(wasserstein(a, b)) ** 0.5, rel=1e-12)


def test_wasserstein_finds_the_best_pairing():
    import itertools

    a, b = normal(5, 1), normal(5, 1, seed=1)
    best = min(float((a[list(order)] - b).square().mean()) for order in itertools.permutations(range(5)))
    assert float(wasserstein(a, b)) == pytest.approx(best, rel=1e-12)


def test_sliced_wasserstein_of_shifted_and_scaled_gaussians():
    """N(m, s² I) against N(0, I) in D dimensions: SW_2² = |m|² / D + (s - 1)². Here the same rows serve both sets."""
    x, mean, s = normal(4000, 5), torch.tensor([2.0, 0, 0, 1, 0]).double(), 1.5
    # a direction u sends x to rows u.x and s u.x + u.m: sorted alike, so the distance is a moment of x
    u = torch.nn.functional.normalize(normal(5, 2000, seed=7), dim=0)
    rows = (s - 1) * x @ u + mean @ u
    moment, error = float(rows.square().mean()), float((mean @ u).square().std()) / math.sqrt(2000)
    distance = sliced_wasserstein(s * x + mean, x, directions=2000) ** 2
    assert moment == pytest.approx(
        float(mean.square().sum()) / 5 + 0.25, abs=4 * (error + 0.0075)
    )  # 0.0075: of x itself
    assert abs(distance - moment) < 4 * math.sqrt(2) * error  # each by its own 2000 directions


def test_sliced_wasserstein_is_a_distance():
    a, b = normal(50, 1, 2, 2), normal(80, 1, 2, 2, seed=1)
    assert sliced_wasserstein(a, a[torch.randperm(50, generator=seeded())]) == pytest.approx(0, abs=1e-7)
    assert sliced_wasserstein(a, b) == pytest.approx(sliced_wasserstein(b, a), rel=1e-12) != 0
    assert sliced_wasserstein(a, b) == sliced_wasserstein(a, b) != sliced_wasserstein(a, b, seed=1)
    assert sliced_wasserstein(3 * a, 3 * b) == pytest.approx(3 * sliced_wasserstein(a, b), rel=1e-9)
    with pytest.raises(ValueError, match="a has 4 numbers a row and b has 3"):
        sliced_wasserstein(a, torch.zeros(5, 3))
    for directions in (0, 2.5):
        with pytest.raises(ValueError, match=rf"directions={directions}: take a whole number of at least 1"):
            sliced_wasserstein(a, b, directions=directions)


def test_nearest_neighbours_by_brute_force_and_for_a_copy():
    x, y = normal(30, 1, 3, 3), normal(100, 1, 3, 3, seed=1)
    x[4] = y[17]
    result = nearest_neighbours(x, y, k=3, batch=7)
    brute = (x[:, None] - y).flatten(2).norm(dim=2).sort(dim=1)
    assert torch.equal(result.index, brute.indices[:, :3])
    assert torch.allclose(result.distance, brute.values[:, :3], rtol=1e-12)
    assert result.distance[4, 0] == 0 and result.index[4, 0] == 17
    with pytest.raises(ValueError, match="k=101 of 100 rows"):
        nearest_neighbours(x, y, k=101)


def test_a_copy_of_a_picture_is_at_distance_0():
    """In float32 pictures of 3072 numbers, |x|² - 2xy + |y|² would leave a copy at some 1e-6."""
    pictures = data.load("shapes", count=60).x
    result = nearest_neighbours(pictures[:20], pictures, k=2, batch=7)
    assert (result.distance[:, 0] == 0).all() and torch.equal(result.index[:, 0], torch.arange(20))
    assert precision_recall(pictures[:20].flatten(1), pictures.flatten(1), k=1).precision == 1
    twice = torch.cat([pictures, pictures]).flatten(1)  # the nearest other row is a copy: balls of radius 0
    assert precision_recall(pictures.flatten(1), twice, k=1).precision == 1
    with pytest.raises(ValueError, match="k=0 of 60 rows: use 1 to 60"):
        nearest_neighbours(pictures[:2], pictures, k=0)


def test_precision_and_recall_of_a_line_by_hand():
    real = torch.tensor([[0.0], [1], [2], [10], [11], [12]])  # with k = 1 every ball reaches 1
    fake = torch.tensor([[0.5], [2.5], [5.0], [5.1]])  # radii 2, 2, 0.1, 0.1
    result = precision_recall(fake, real, k=1)
    assert precision_recall(real + 20, real, k=1) == (0, 0) and precision_recall(real, real, k=1) == (1, 1)
    touching = precision_recall(torch.tensor([[3.0], [30.0]]), real, k=1)  # 3 lies exactly on the ball about 2
    assert touching.precision == 1 / 2
    assert result.precision == 2 / 4 and result.recall == 3 / 6  # 0, 1, 2 lie within 2 of 0.5 or 2.5


def test_precision_falls_for_noise_and_recall_for_a_lost_mode():
    centres = torch.tensor([[-5.0, 0], [5, 0]]).double()
    real, other = (centres[torch.arange(600) % 2] + 0.3 * normal(600, 2, seed=s) for s in (0, 1))
    same = precision_recall(other, real)
    lost = precision_recall(-5 * torch.tensor([1.0, 0]) + 0.3 * normal(600, 2, seed=2), real)
    noise = precision_recall(other + 3 * normal(600, 2, seed=3), real)
    assert min(same) > 0.85
    assert lost.precision > 0.85 and 0.4 < lost.recall <= 0.5
    assert noise.precision < 0.5
    with pytest.raises(ValueError, match="k=600 with 600 samples"):
        precision_recall(real, other, k=600)


# --- the classifier -----------------------------------------------------------------------------


def test_bundled_classifier_is_small_knows_digits_and_is_its_recipe(digits, held_out):
    from diffusion_lib.checkpoints import bundled

    classifier = load_classifier()
    assert bundled("digits_classifier").stat().st_size < 300_000
    right = accuracy(held_out.x, held_out.labels, classifier)
    assert right.value - 4 * right.spread > 0.9  # ten classes: chance is 0.1
    again = train_classifier(digits)
    same = (classify(held_out.x, again) == classify(held_out.x, classifier)).double().mean()
    assert same > 0.97  # not all: other machines round otherwise
    standard = features(digits.x, classifier)
    assert standard.mean(0).abs().max() < 1e-2 and (standard.std(0) - 1).abs().max() < 1e-2


def test_training_depends_on_its_arguments_alone(digits):
    torch.manual_seed(1)
    first = train_classifier(digits, steps=5)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again, other = train_classifier(digits, steps=5), train_classifier(digits, steps=5, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.head.weight, other.head.weight)


def test_the_seed_decides_on_first_weights_and_on_batches(digits, monkeypatch):
    from diffusion_lib.evaluation import classifier as module

    first_weights = []

    def record(*args, **options):
        first_weights.append(Classifier(*args, **options).head.weight.clone())
        torch.manual_seed(0)  # so that what is trained starts alike
        return Classifier(*args, **options)

    monkeypatch.setattr(module, "Classifier", record)
    trained = [train_classifier(digits, steps=2, seed=seed).head.weight for seed in (0, 0, 1)]
    for values in (first_weights, trained):
        assert torch.equal(values[0], values[1]) and not torch.equal(values[0], values[2])


def test_frechet_distance_notices_noise_blur_and_lost_classes(digits, held_out):
    classifier = load_classifier()
    pictures = torch.cat([digits.x, held_out.x])[torch.randperm(1797, generator=seeded(5))]
    labels = torch.cat([digits.labels, held_out.labels])[torch.randperm(1797, generator=seeded(5))]
    real, other = pictures[:350], pictures[350:700]
    floor = real_floor(pictures, 350, classifier, repeats=10)
    assert abs(frechet(real, other, classifier) - floor.value) < 4 * floor.spread
    noise = torch.randn(other.shape, generator=seeded())
    spoiled = {
        "noise": other + 0.3 * noise,
        "blur": torch.nn.functional.avg_pool2d(other, 3, 1, 1),
        "contrast": 0.8 * other - 0.2,
        "classes": pictures[labels < 5][350:700],
    }
    for name, images in spoiled.items():
        assert frechet(images, real, classifier) > floor.value + 4 * floor.spread, name


def test_a_file_rebuilds_its_classifier_and_no_other_file_does(tmp_path, digits):
    classifier = train_classifier(digits, steps=2)
    save_classifier(tmp_path / "c.safetensors", classifier)
    again = load_classifier(tmp_path / "c.safetensors")
    assert again.config == classifier.config and again.classes == digits.classes
    assert torch.equal(features(digits.x[:9], again), features(digits.x[:9], classifier))
    from diffusion_lib.checkpoints import write

    write(tmp_path / "other.safetensors", {"x": torch.zeros(1)}, {"format": "another"})
    with pytest.raises(ValueError, match="is a 'another', not a classifier"):
        load_classifier(tmp_path / "other.safetensors")


def test_shapes_teach_all_their_attributes():
    shapes = data.load("shapes", count=1000)
    classifier = train_classifier(shapes, steps=80, batch=32)
    fresh = data.load("shapes", count=300, train=False)
    with torch.no_grad():
        logits = classifier.logits(fresh.x)
    right = [(y.argmax(1) == a).double().mean() for y, a in zip(logits, fresh.attributes.T, strict=True)]
    assert classifier.groups == [6, 6, 2, 2]
    assert min(right[1:]) > 0.9  # colour, size, background


@pytest.mark.parametrize("size, stages, dim", [(4, 1, 64 + 24), (8, 2, 64 + 24 + 48), (16, 2, 136), (64, 4, 232)])
def test_classifier_of_every_size_ends_at_4_by_4(size, stages, dim):
    classifier = Classifier(3, size, classes=("a", "b"), extra=(4,))
    pictures = torch.rand(2, 3, size, size) * 2 - 1
    assert len(classifier.stages) == stages and classifier.features(pictures).shape == (2, dim)
    h = pictures
    for stage in classifier.stages:
        h = stage(h)
    assert h.shape == (2, 24 if stages == 1 else 48, 4, 4)
    assert [tuple(y.shape) for y in classifier.logits(pictures)] == [(2, 2), (2, 4)]


def test_features_and_verdicts_are_the_same_in_any_batches(digits):
    classifier = load_classifier()
    pictures, labels = digits.x[:50], digits.labels[:50]
    assert torch.allclose(features(pictures, classifier, batch=7), features(pictures, classifier), atol=1e-5)
    assert torch.equal(classify(pictures, classifier, batch=7), classifier(pictures).argmax(1))
    # float32 rounding; the average of each stage, then the code, in standard deviations
    averages, code = classifier.levels(pictures)
    by_hand = (torch.cat([*averages, code], 1) - classifier.mean) / classifier.std
    assert torch.allclose(features(pictures, classifier), by_hand, atol=1e-5)
    assert torch.allclose(classifier(pictures), classifier.head(code.relu())[:, :10])
    wrong = labels.clone()
    wrong[:10] = (wrong[:10] + 1) % 10
    right = (classify(pictures, classifier) == wrong).sum().item()
    share = right / 50
    result = accuracy(pictures, wrong, classifier)
    assert result.value == pytest.approx(share) and result.spread == pytest.approx(math.sqrt(share * (1 - share) / 50))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_picture_that_is_not_finite_has_no_label(bad, digits):
    pictures, classifier = digits.x[:4].clone(), load_classifier()
    pictures[2, 0, 1, 1] = pictures[3] = bad
    for read in (classify, classify_all, lambda x, judge: accuracy(x, torch.zeros(4), judge)):
        with pytest.raises(ValueError, match=r"images\[2\] is not finite \(2 of 4 pictures\): leave those .* out"):
            read(pictures, classifier)
    assert classify(pictures[:2], classifier).shape == (2,)


def test_all_attributes_are_read_the_label_first():
    shapes = data.load("shapes", count=40)
    classifier = train_classifier(shapes, steps=2, batch=8)
    read = classify_all(shapes.x, classifier, batch=7)
    assert read.shape == (40, 4) and torch.equal(read[:, 0], classify(shapes.x, classifier))
    for column, logits in zip(read.T, classifier.logits(shapes.x), strict=True):
        assert torch.equal(column, logits.argmax(1))


def test_a_classifier_learns_from_what_augment_makes_of_the_pictures():
    """Each batch once, drawn from the training's own generator; the features' scale is that of the data themselves."""
    shapes, seen = data.load("shapes", count=60), []

    def darker(pictures, generator):
        seen.append(pictures)
        return pictures - torch.rand(len(pictures), 1, 1, 1, generator=generator)

    changed, again = (train_classifier(shapes, steps=3, batch=8, augment=darker) for _ in range(2))
    plain = train_classifier(shapes, steps=3, batch=8)
    assert [len(x) for x in seen] == [8] * 6 and torch.equal(seen[0], seen[3])
    assert torch.equal(changed.head.weight, again.head.weight)
    assert not torch.equal(changed.head.weight, plain.head.weight)
    torch.testing.assert_close(features(shapes.x, changed).mean(0), torch.zeros(changed.mean.shape), atol=1e-4, rtol=0)


def test_a_file_keeps_the_further_attributes(tmp_path):
    classifier = Classifier(3, 8, classes=("a", "b"), extra=(6, 2), width=16, dim=5)
    save_classifier(tmp_path / "c.safetensors", classifier)
    again = load_classifier(tmp_path / "c.safetensors")
    assert again.groups == [2, 6, 2] and again.config == classifier.config


def test_a_feature_that_never_changes_is_no_division_by_zero(digits):
    flat = data.Dataset("flat", torch.full((20, 1, 8, 8), -1.0), labels=torch.arange(20) % 2, classes=("a", "b"))
    assert features(digits.x[:5], train_classifier(flat, steps=1)).isfinite().all()


def test_classifier_says_what_is_wrong(digits):
    classifier = load_classifier()
    with pytest.raises(ValueError, match=r"pictures have shape \(2, 3, 32, 32\), this classifier takes \(B, 1, 8, 8\)"):
        features(torch.zeros(2, 3, 32, 32) - 1, classifier)
    with pytest.raises(ValueError, match="size=12: the classifier halves pictures"):
        Classifier(1, 12, classes=("a", "b"))
    with pytest.raises(ValueError, match="moons has no labelled pictures"):
        train_classifier(data.load("moons", count=10))
    with pytest.raises(ValueError, match=r"labels have shape \(3,\) for 5 pictures"):
        accuracy(digits.x[:5], digits.labels[:3], classifier)
    with pytest.raises(ValueError, match=r"labels have shape \(0,\) for 0 pictures"):
        accuracy(digits.x[:0], digits.labels[:0], classifier)
    with pytest.raises(ValueError, match="size=2: the classifier halves pictures"):
        Classifier(1, 2, classes=("a", "b"))
    with pytest.warns(UserWarning, match="no pixel is below 0"):
        features((digits.x[:5] + 1) / 2, classifier)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluation.features(digits.x[:5], classifier).shape == (5, 136)
        evaluation.features(torch.zeros(2, 1, 8, 8), classifier)  # grey all over: no sign of [0, 1]
