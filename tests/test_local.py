"""The local memoriser against a slow loop over patches, against `Empirical`, and in the limits where its answer is known."""

import pytest
import torch
from torch.nn import functional as F

from diffusion_lib.denoisers import Empirical, Local
from diffusion_lib.denoisers.local import alike
from diffusion_lib.sampling import sample
from diffusion_lib.schedules import Cosine, Flow

F64 = torch.float64


def pictures(count=5, channels=1, height=4, width=5, seed=0):
    return torch.randn(count, channels, height, width, dtype=F64, generator=torch.Generator().manual_seed(seed))


def slowly(data, x, alpha, sigma, side, anywhere=True):
    """The paper's sum, a patch at a time: pad with NaN, and compare those whose NaN lie at the same places."""
    reach, answer = side // 2, torch.empty_like(x)
    padded, clean = (F.pad(p, (reach,) * 4, value=torch.nan) for p in (x, data))
    height, width = x.shape[2:]
    for b in range(len(x)):
        for i in range(height):
            for j in range(width):
                seen, total, weight = padded[b, :, i : i + side, j : j + side], 0, 0
                for k in range(len(data)):
                    for u in range(height) if anywhere else [i]:
                        for v in range(width) if anywhere else [j]:
                            patch = clean[k, :, u : u + side, v : v + side]
                            if (patch.isnan() == seen.isnan()).all():
                                w = (-(seen - alpha * patch).nan_to_num().square().sum() / (2 * sigma**2)).exp()
                                total, weight = total + w * data[k, :, u, v], weight + w
                answer[b, :, i, j] = total / weight
    return answer


@pytest.mark.parametrize("anywhere", [True, False])
@pytest.mark.parametrize("side", [1, 3, 5, 7])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_the_sum_over_patches(channels, side, anywhere):
    data, x = pictures(channels=channels), pictures(2, channels, seed=1)
    alpha, sigma = Cosine().pair(0.6, x)
    found = Local(data, Cosine(), side, anywhere)(x, 0.6)
    torch.testing.assert_close(found.x0, slowly(data, x, alpha, sigma, side, anywhere), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(alpha * found.x0 + sigma * found.eps, x)


def test_single_pixels_that_repeat_count_as_often_as_they_occur():
    data = torch.tensor([-1.0, -1.0, -1.0, 1.0], dtype=F64).reshape(1, 1, 2, 2)
    nothing_seen = Local(data, Flow(), 1)(torch.zeros(1, 1, 2, 2, dtype=F64), 1.0).x0
    torch.testing.assert_close(nothing_seen, torch.full_like(nothing_seen, -0.5))


@pytest.mark.parametrize("t", [0.0, 0.05, 0.5, 1.0])
def test_a_pixel_that_sees_the_whole_picture_knows_what_empirical_knows(t):
    """A patch of 2 H - 1 sticks out differently at every place, so each pixel is compared with its own place alone."""
    data, x = pictures(6, 1, 4, 4), pictures(3, 1, 4, 4, seed=1)
    for anywhere in (True, False):
        local, whole = Local(data, Flow(), 7, anywhere)(x, t), Empirical(data, Flow())(x, t)
        torch.testing.assert_close(local.x0, whole.x0, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(local.eps, whole.eps, rtol=1e-9, atol=1e-9)


def test_inside_it_does_not_matter_where_a_patch_lies():
    data, x = pictures(4, 1, 9, 9), pictures(1, 1, 9, 9, seed=1)
    moved = x.roll((1, 2), (2, 3))
    found, found_moved = (Local(data, Cosine(), 3)(y, 0.4).x0 for y in (x, moved))
    torch.testing.assert_close(found_moved[..., 3:8, 4:8], found[..., 2:7, 2:6])
    fixed, fixed_moved = (Local(data, Cosine(), 3, anywhere=False)(y, 0.4).x0 for y in (x, moved))
    assert not torch.allclose(fixed_moved[..., 3:8, 4:8], fixed[..., 2:7, 2:6], atol=1e-2)


def test_a_pixel_hears_nothing_from_beyond_its_patch():
    data, x = pictures(), pictures(1, seed=1)
    other = x.clone()
    other[..., 3, 4] += 1.0
    changed = (Local(data, Cosine(), 3)(x, 0.5).x0 - Local(data, Cosine(), 3)(other, 0.5).x0).abs() > 1e-12
    assert not changed[..., :2, :].any() and not changed[..., :3].any() and changed[..., 2:, 3:].any()


def test_the_patch_may_depend_on_the_time_also_within_a_batch():
    data, x = pictures(), pictures(4, seed=1)
    t = torch.tensor([0.2, 0.8, 0.2, 0.7], dtype=F64)
    found = Local(data, Cosine(), lambda time: 1 if time < 0.5 else 5)(x, t)
    for i, side in enumerate((1, 5, 1, 5)):
        alone = Local(data, Cosine(), side)(x[i : i + 1], float(t[i]))
        torch.testing.assert_close(found.x0[i : i + 1], alone.x0)
        torch.testing.assert_close(found.eps[i : i + 1], alone.eps)


def test_in_float32_it_is_right_to_the_precision_that_it_states():
    data, x = pictures(50, 1, 8, 8).clamp(-1, 1), pictures(4, 1, 8, 8, seed=1)
    for t in (0.05, 0.3, 0.9):
        exact, found = Local(data, Flow(), 5)(x, t).x0, Local(data.float(), Flow(), 5)(x.float(), t).x0
        assert found.dtype == torch.float32
        assert (found - exact).abs().max() < 1e-5 / t**2


def test_samples_of_a_local_memoriser_are_mosaics_of_the_data():
    """Walked to the end, each pixel is black or white as the data are, and the picture is no picture of them."""
    data = pictures(8, 1, 6, 6).sign()
    drawn = sample(Local(data, Cosine(), 3), (1, 6, 6), 4, steps=30).double()
    assert (drawn.abs() - 1).abs().max() < 1e-4
    assert (drawn[:, None] - data).flatten(2).norm(dim=2).min() > 0.5


def test_places_are_grouped_by_what_sticks_out():
    assert alike(6, 1) == [[0], [1, 2, 3, 4], [5]]
    assert alike(4, 3) == [[0], [1], [2], [3]] == alike(4, 9)
    assert alike(3, 0) == [[0, 1, 2]]
    assert alike(3, 0, anywhere=False) == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 4}, "patch=4 has no pixel in its middle: use 1, 3, 5"),
        ({"patch": 0}, "patch=0"),
        ({"patch": 3.0}, r"patch=3\.0"),
        ({"data": torch.zeros(3, 4)}, r"data have shape \(3, 4\): give pictures \(N, C, H, W\)"),
        ({"data": torch.zeros(0, 1, 4, 4)}, "N at least 1"),
    ],
)
def test_what_it_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Local(**({"data": pictures(), "schedule": Flow()} | options))


def test_other_pictures_and_conditions_are_refused():
    local = Local(pictures(), Flow())
    with pytest.raises(ValueError, match=r"x has shape \(1, 1, 5, 5\), the data are \(N, 1, 4, 5\)"):
        local(torch.zeros(1, 1, 5, 5, dtype=F64), 0.5)
    with pytest.raises(ValueError, match="Local takes no condition"):
        local(pictures(1), 0.5, torch.tensor([1]))
    with pytest.raises(ValueError, match="patch=2 has no pixel in its middle"):
        Local(pictures(), Flow(), lambda t: 2)(pictures(1), 0.5)
