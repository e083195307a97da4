"""Networks: sizes, counts and gradients against hand counts, and what bad input says."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from diffusion_lib.networks import (
    MLP,
    NETWORKS,
    Attention,
    Network,
    OneShot,
    ResBlock,
    UNet,
    build,
    parameter_count,
    thaw,
    time_embedding,
)
from diffusion_lib.networks.attention import attend

UNETS = [
    dict(channels=1, size=8),
    dict(channels=1, size=8, classes=10, multipliers=(1, 2), blocks=2),
    dict(channels=3, size=32, width=8, heads=2),
    dict(channels=4, size=8, width=16, attention=()),
    dict(channels=3, size=64, width=8, multipliers=(1, 1, 2, 2), attention=(3,), heads=2),
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def loud(net):
    """Give every weight a random value: a new network's output is zero, which hides mistakes."""
    g = seeded(1)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=g) * (1 / math.sqrt(p[0].numel()) if p.ndim > 1 else 0.1))
    return net.eval()


# --- time ---------------------------------------------------------------------------------------


def test_time_embedding_is_the_formula():
    t = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    found = time_embedding(t, 6)
    for i, time in enumerate((0.0, 0.25, 1.0)):
        for k in range(3):
            angle = 1000 * time * 10_000 ** (-k / 3)
            assert found[i, k].item() == pytest.approx(math.cos(angle), abs=1e-11)  # 1000 * float64 rounding
            assert found[i, 3 + k].item() == pytest.approx(math.sin(angle), abs=1e-11)


def test_time_embedding_tells_neighbouring_timesteps_apart_and_stays_precise():
    t = torch.arange(1001) / 1000
    waves = time_embedding(t, 32)
    assert (waves[1:] - waves[:-1]).norm(dim=1).min() > 0.5
    exact = time_embedding(t.double(), 32)
    assert (waves - exact).abs().max() < 1000 * 4 * torch.finfo(torch.float32).eps  # angle's own rounding, t's, w's
    assert time_embedding(t.bfloat16(), 32).dtype == torch.float32


@pytest.mark.parametrize("dim", [0, 7])
def test_time_embedding_refuses_odd_widths(dim):
    with pytest.raises(ValueError, match=f"dim={dim} is not an even number"):
        time_embedding(torch.zeros(1), dim)


# --- every network ------------------------------------------------------------------------------

NETS = [
    lambda: MLP(),
    lambda: MLP(1, width=16, depth=2, classes=3),
    *(lambda c=c: UNet(**c) for c in UNETS),
    lambda: OneShot(3, 8, width=0.1),
]


def example(net, n=3):
    shape = (net.dim,) if isinstance(net, MLP) else net.shape
    return torch.randn(n, *shape, generator=seeded()), torch.rand(n, generator=seeded(2))


@pytest.mark.parametrize("new", NETS)
def test_output_has_the_input_shape_and_config_rebuilds_the_network(new):
    import json

    net = loud(new())
    x, t = example(net)
    out = net(x, t)
    assert out.shape == x.shape and out.isfinite().all() and out.std() > 0
    again = build(json.loads(json.dumps(net.config)))
    assert again.config == net.config
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.eval()(x, t), out)


@pytest.mark.parametrize("new", NETS[:-1])
def test_a_new_network_returns_zero_and_every_weight_learns(new):
    net = new()
    x, t = example(net)
    assert torch.equal(net(x, t), torch.zeros_like(x))
    loud(net)
    cond = torch.arange(3) % net.config["classes"] if net.config["classes"] else None
    net(x, t, cond).square().sum().backward()
    dead = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert dead == []


@pytest.mark.parametrize("new", NETS[:-1])
def test_output_depends_on_time_and_on_nothing_else_in_the_batch(new):
    net = loud(new())
    x, t = example(net)
    out = net(x, t)
    later = t.clone()
    later[0] += 0.3
    moved = (net(x, later) - out).flatten(1).norm(dim=1)
    assert moved[0] > 1e-3 and moved[1:].max() < 1e-5  # the rest: float32 rounding
    alone = net(x[1:2], t[1:2])
    torch.testing.assert_close(alone, out[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("new", NETS)
def test_train_mode_is_as_deterministic_as_eval_mode(new):
    net = loud(new())
    x, t = example(net)
    assert torch.equal(net.train()(x, t), net.eval()(x, t))


@pytest.mark.parametrize("new", [lambda: MLP(classes=4), lambda: UNet(width=8, heads=2, classes=4)])
def test_labels(new):
    net = loud(new())
    x, t = example(net)
    none = net(x, t)
    assert torch.equal(net(x, t, torch.tensor([-1, -1, -1])), none)
    mixed = net(x, t, torch.tensor([-1, 0, 3]))
    moved = (mixed - none).flatten(1).norm(dim=1)
    assert moved[0] < 1e-5 and moved[1:].min() > 1e-3
    same = net(x[:1].expand_as(x), t[:1].expand(3), torch.tensor([0, 1, 2]))
    assert (same[0] - same[1]).norm() > 1e-3 and (same[1] - same[2]).norm() > 1e-3
    with pytest.raises(ValueError, match="label 4 is out of range: there are 4 classes, 0 to 3"):
        net(x, t, torch.tensor([0, 4, 1]))
    with pytest.raises(ValueError, match="label -2 is out of range"):
        net(x, t, torch.tensor([0, -2, 1]))
    with pytest.raises(ValueError, match=r"must be int64 of shape \(3,\)"):
        net(x, t, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"torch\.float32"):
        net(x, t, torch.tensor([0.0, 1.0, 2.0]))


def test_a_network_without_classes_takes_no_labels_but_takes_no_label():
    net = loud(MLP())
    x, t = example(net)
    assert torch.equal(net(x, t, torch.full((3,), -1)), net(x, t))
    with pytest.raises(ValueError, match="label 2 is out of range: there are no classes"):
        net(x, t, torch.tensor([2, 0, -1]))


# --- U-Net --------------------------------------------------------------------------------------


def test_unet_sees_the_whole_picture_through_attention_and_a_neighbourhood_without():
    for attention, whole in (((1,), True), ((), False)):
        net = loud(UNet(1, 64, width=8, multipliers=(1, 1), attention=attention, heads=2)).double()
        for m in net.modules():  # GroupNorm also mixes all pixels: leave it out here
            if isinstance(m, nn.GroupNorm):
                m.forward = lambda x: x
        x = torch.randn(1, 1, 64, 64, generator=seeded(), dtype=torch.float64).requires_grad_()
        net(x, torch.tensor([0.5], dtype=torch.float64))[0, 0, 0, 0].backward()
        assert (x.grad[0, 0, -1, -1] != 0).item() == whole
        assert x.grad[0, 0, 3, 3] != 0


@pytest.mark.parametrize(
    "config, message",
    [
        (dict(size=30), "size=30 cannot be halved 2 times.*multiple of 4.*use size=28 or size=32"),
        (dict(size=2), "size=2 cannot be halved 2 times.*use size=4"),
        (dict(width=20, groups=8), "width=20 does not split into groups=8.*use width=16"),
        (dict(groups=0), "groups=0"),
        (dict(attention=(5,)), "names level 5, there are levels 0 to 2"),
        (dict(heads=3), "heads=3 does not divide the 64 channels of level 1"),
        (dict(multipliers=()), "at least one multiplier"),
        (dict(classes=-1), "classes=-1 is below 0"),
    ],
)
def test_unet_refuses_what_it_cannot_build(config, message):
    with pytest.raises(ValueError, match=message):
        UNet(**config)


def test_wrong_shapes_are_named():
    net, mlp = UNet(width=8, heads=2), MLP()
    with pytest.raises(ValueError, match=r"x has shape \(2, 3, 8, 8\), this UNet takes \(B, 1, 8, 8\)"):
        net(torch.zeros(2, 3, 8, 8), torch.zeros(2))
    with pytest.raises(ValueError, match=r"t has shape \(1,\), the batch needs \(2,\)"):
        net(torch.zeros(2, 1, 8, 8), torch.zeros(1))
    with pytest.raises(ValueError, match=r"this MLP takes \(B, 2\)"):
        mlp(torch.zeros(2, 3), torch.zeros(2))
    with pytest.raises(ValueError, match=r"this OneShot takes \(B, 3, 32, 32\)"):
        OneShot(width=0.05)(torch.zeros(2, 1, 28, 28))


def test_training_lowers_the_loss_in_bfloat16():
    torch.manual_seed(0)
    net = UNet(width=16, heads=2)
    x, t = example(net, 16)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(40):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = (net(x, t) - x).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss < 0.5  # it starts at E x² = 1


def shaken(module):
    """The module with every weight random, also those that start at 0, in float64."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=seeded(p.numel())))
    return module.double()


def test_a_residual_block_is_its_formula():
    block = shaken(ResBlock(8, 16, 5, groups=8))
    x, c = torch.randn(2, 8, 4, 4, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    group_norm = lambda x, norm: F.group_norm(x, 8, norm.weight, norm.bias)  # noqa: E731
    scale, shift = block.film(F.silu(c)).reshape(2, 2, 16, 1, 1).unbind(1)
    h = F.conv2d(F.silu(group_norm(x, block.norm1)), block.conv1.weight, block.conv1.bias, padding=1)
    h = F.silu(group_norm(h, block.norm2) * (1 + scale) + shift)
    h = F.conv2d(h, block.conv2.weight, block.conv2.bias, padding=1)
    torch.testing.assert_close(block(x, c), F.conv2d(x, block.skip.weight, block.skip.bias) + h)
    same = ResBlock(8, 8, 5, groups=8).double()
    assert torch.equal(same(x, c), x), "a new block without a change of channels is the identity"


def test_attention_is_its_formula_added_to_its_input():
    """softmax(q k / sqrt(d)) v, a head at a time, with explicit loops over heads."""
    attention, x = shaken(Attention(16, 2, groups=8)), torch.randn(3, 16, 2, 4, dtype=torch.float64)
    pixels = F.group_norm(x, 8, attention.norm.weight, attention.norm.bias).reshape(3, 16, 8).transpose(1, 2)
    q, k, v = attention.qkv(pixels).chunk(3, dim=2)
    heads = []
    for part in (slice(0, 8), slice(8, 16)):
        weights = (q[..., part] @ k[..., part].transpose(1, 2) / 8**0.5).softmax(2)
        heads.append(weights @ v[..., part])
    seen = attention.out(torch.cat(heads, 2)).transpose(1, 2).reshape(x.shape)
    torch.testing.assert_close(attention(x), x + seen)


def test_attention_in_bfloat16_is_the_fused_kernel_s_up_to_rounding():
    q, k, v = (torch.randn(2, 3, 16, 8, generator=seeded(i), dtype=torch.bfloat16) for i in range(3))
    fused, exact = (
        F.scaled_dot_product_attention(*(x.to(kind) for x in (q, k, v))) for kind in (q.dtype, torch.float64)
    )
    ours = attend(q, k, v)
    assert ours.dtype == torch.bfloat16
    # 8 bits: a rounding is 2^-9 of what is rounded. Written out, scores, weights and their sum are rounded in turn: scores
    # of up to 4 by 0.008, so weights by 1 %; what is averaged is of size 3 at most
    assert (ours - exact).abs().max() < 0.03 * v.abs().max() and (ours - fused).abs().max() < 0.03 * v.abs().max()


def test_the_way_up_meets_what_was_seen_on_the_way_down():
    """Each block on the way up gets the map of its own level: the last channels of its input are that map itself."""
    net = loud(UNet(width=8, multipliers=(1, 2, 2), blocks=2, heads=2))
    stored, met = [], []
    for level in net.down:
        for block in level:
            block.register_forward_hook(lambda module, inputs, output: stored.append(output))
    for level in net.up:
        for block in level:
            block.register_forward_pre_hook(lambda module, inputs: met.append(inputs[0]))
    net(*example(net))
    assert len(stored) == len(met) == 6
    for skip, joined in zip(reversed(stored), met, strict=True):
        assert skip.abs().max() > 0 and torch.equal(joined[:, -skip.shape[1] :], skip)


def test_the_smallest_time_embedding_has_one_wave():
    t = torch.tensor([0.0, 0.001])
    expected = torch.tensor([[1.0, 0.0], [math.cos(1), math.sin(1)]])
    torch.testing.assert_close(time_embedding(t, 2), expected)


def test_a_registered_network_is_built_from_its_config():
    @NETWORKS.register
    class Bias(Network):
        def __init__(self, dim=2):
            super().__init__()
            self.config = {"kind": "Bias", "dim": dim}
            self.bias = nn.Parameter(torch.zeros(dim))

        def forward(self, x, t, cond=None):
            return x + self.bias

    try:
        assert build({"kind": "Bias", "dim": 3}).bias.shape == (3,)
        with pytest.raises(ValueError, match="kind='Bia' is none of 'Autoencoder', 'MLP', .*'Bias'"):
            build({"kind": "Bia"})
        with pytest.raises(ValueError, match="this Bias takes no condition: pass cond=None"):
            Bias().null(torch.zeros(2))
        assert Bias().null(None) is None and not Bias().conditional
    finally:
        del NETWORKS["Bias"]


def test_the_null_condition_is_the_networks_own():
    for net in (MLP(classes=3), UNet(width=8, heads=2, classes=3)):
        assert net.conditional
        assert net.null(torch.tensor([2, 0])).tolist() == [-1, -1] and net.null(None) is None
    assert not MLP().conditional and not OneShot(3, 8, width=0.1).conditional
    assert MLP(classes=1).conditional  # one class, or none in particular
    with pytest.raises(ValueError, match="this MLP takes no condition"):
        MLP().null(torch.tensor([0]))


# --- the one-shot network -----------------------------------------------------------------------


def test_one_shot_has_537_million_parameters():
    with torch.device("meta"):
        net = OneShot()
    conv = lambda i, o: 9 * i * o + o  # noqa: E731
    features = 256 * 32 * 32
    by_hand = (
        conv(3, 64)
        + conv(64, 128)
        + conv(128, 256)
        + features * 1024
        + 1024
        + 1024 * features
        + features
        + conv(256, 128)
        + conv(128, 64)
        + conv(64, 3)
    )
    assert parameter_count(net) == by_hand == 537_875_459
    assert 4 * by_hand / 1e9 == pytest.approx(2.15, abs=0.01)  # gigabytes in float32
    assert net(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 3, 32, 32)


class DiffusionModel(nn.Module):
    """The article's network as it is printed there, but for one factor in front of its numbers of channels."""

    def __init__(self, width):
        super().__init__()
        n64, n128, n256, n1024 = (int(n * width) for n in (64, 128, 256, 1024))
        self.n256 = n256
        self.conv1 = nn.Conv2d(3, n64, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(n64, n128, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(n128, n256, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(n256 * 32 * 32, n1024)
        self.fc2 = nn.Linear(n1024, n256 * 32 * 32)
        self.deconv1 = nn.ConvTranspose2d(n256, n128, kernel_size=3, padding=1)
        self.deconv2 = nn.ConvTranspose2d(n128, n64, kernel_size=3, padding=1)
        self.deconv3 = nn.ConvTranspose2d(n64, 3, kernel_size=3, padding=1)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = torch.relu(self.conv3(x))
        x = x.view(x.size(0), -1)
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        x = x.view(x.size(0), self.n256, 32, 32)
        x = torch.relu(self.deconv1(x))
        x = torch.relu(self.deconv2(x))
        x = torch.tanh(self.deconv3(x))
        return x


def test_one_shot_is_the_articles_network():
    """Weights shared by name, the same picture to the last bit; every ReLU is at work."""
    article, net = loud(DiffusionModel(1 / 16)), OneShot(width=1 / 16)
    net.load_state_dict(article.state_dict())
    x = torch.randn(4, 3, 32, 32, generator=seeded(3))
    assert torch.equal(net(x), article(x))
    assert net.encode(x).min() == 0 and net.encode(x).shape == (4, 64)
    assert torch.equal(net.decode(net.encode(x)), net(x))
    with torch.device("meta"):
        shapes = [(name, p.shape) for name, p in DiffusionModel(1).named_parameters()]
        assert shapes == [(name, p.shape) for name, p in OneShot().named_parameters()]


def test_one_shot_is_blind_to_time_and_label_and_bounded():
    net = loud(OneShot(width=0.05))
    x, t = example(net)
    out = net(100 * x, t)
    assert torch.equal(out, net(100 * x, 0 * t, torch.tensor([1, 2, 3]))) and out.abs().max() <= 1
    assert [type(m).__name__ for m in net.modules() if type(m).__name__.startswith("Conv")] == ["Conv2d"] * 3 + [
        "ConvTranspose2d"
    ] * 3
    with pytest.raises(ValueError, match=r"width=0\.001 leaves the first convolution with 0 channels"):
        OneShot(width=0.001)


def test_build_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match=r"kind='Transformer' is none of 'Autoencoder', 'MLP', 'OneShot', 'UNet'"):
        build({"kind": "Transformer"})
    with pytest.raises(ValueError, match=r"a MLP cannot be built from .*unexpected keyword"):
        build({"kind": "MLP", "hidden": 3})


def test_thaw_frees_a_frozen_network_and_leaves_a_part_frozen():
    net = MLP(2, width=8, depth=1).requires_grad_(False)
    thaw(net)
    assert all(p.requires_grad for p in net.parameters())
    first = next(net.parameters()).requires_grad_(False)
    thaw(net)
    assert not first.requires_grad
