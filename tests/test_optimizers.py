"""Optimizers: Muon beside torch's own, on matrices and on convolutions however they lie in memory."""

import pytest
import torch
from torch import nn

from diffusion_lib.networks import UNet
from diffusion_lib.training.optimizers import OPTIMIZERS, as_matrix


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(16, 24, 3), nn.Flatten(), nn.Linear(24 * 36, 16), nn.Embedding(20, 16))


def give_gradients(net, seed):
    generator = seeded(seed)
    for p in net.parameters():
        p.grad = torch.randn(p.shape, generator=generator)  # contiguous, however the weight lies


def trained(net, optimizer, steps=3):
    for step in range(steps):
        give_gradients(net, step)
        optimizer.step()
    return net


def test_muon_is_torchs_for_matrices_and_adamw_for_the_rest():
    net, other = small_net(), small_net()
    trained(net, OPTIMIZERS["muon"](net, 1e-2))
    conv, linear, table = other[0], other[2], other[3]
    flat = nn.Parameter(conv.weight.detach().flatten(1))
    muon = torch.optim.Muon([flat, linear.weight], lr=1e-2, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    rest = [conv.bias, linear.bias, table.weight]
    adamw = torch.optim.AdamW(rest, lr=1e-2, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    for step in range(3):
        give_gradients(other, step)
        flat.grad = conv.weight.grad.flatten(1)
        muon.step()
        adamw.step()
    assert torch.equal(net[0].weight.flatten(1), flat) and torch.equal(net[2].weight, linear.weight)
    for (_, a), (_, b) in zip(net.named_parameters(), other.named_parameters(), strict=True):
        if a.ndim < 4:
            assert torch.equal(a, b)


def test_muon_does_not_depend_on_how_a_convolution_lies_in_memory():
    """The columns of a matrix may come in any order; bfloat16 rounds sums of 144 columns: 2^-8 / sqrt(3) a term."""
    rows, channels_last = small_net(), small_net().to(memory_format=torch.channels_last)
    before = rows[0].weight.clone()
    for net in (rows, channels_last):
        trained(net, OPTIMIZERS["muon"](net, 1e-2), steps=1)
    assert not channels_last[0].weight.is_contiguous()
    step, other = rows[0].weight - before, channels_last[0].weight - before
    assert (step - other).norm() < 0.02 * step.norm()


def test_a_step_of_muon_has_directions_of_equal_length():
    """Newton-Schulz leaves singular values between about 0.7 and 1.2 of the stated size (Jordan 2024)."""
    net = nn.Linear(64, 32, bias=False)
    before = net.weight.detach().clone()
    trained(net, OPTIMIZERS["muon"](net, 1e-2), steps=1)
    lengths = torch.linalg.svdvals(before - net.weight.detach()) / (1e-2 * 0.2 * 64**0.5)
    assert lengths.min() > 0.6 and lengths.max() < 1.3


def test_every_weight_is_trained_once():
    net = UNet(3, 32, width=32, multipliers=(1, 2), classes=6, patch=2)
    optimizer = OPTIMIZERS["muon"](net, 1e-3)
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in trained} == {id(p) for p in net.parameters()} and len(trained) == len(set(map(id, trained)))
    matrices = {id(p) for p in optimizer.param_groups[0]["params"]}
    names = {name for name, p in net.named_parameters() if id(p) in matrices}
    assert "down.0.0.res.conv1.weight" in names and "last.weight" not in names
    for weight, view in optimizer.views.items():
        assert view.data_ptr() == weight.data_ptr() and torch.equal(as_matrix(weight, weight), view)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_learning_rate_set_from_outside_is_used(name):
    net = small_net()
    optimizer = OPTIMIZERS[name](net, 1e-2)
    before = [p.detach().clone() for p in net.parameters()]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    trained(net, optimizer, steps=1)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


@pytest.mark.parametrize("net", [nn.Linear(4, 4), nn.Linear(20, 20, bias=False)], ids=["no matrix", "nothing else"])
def test_muon_takes_networks_of_one_kind_of_weights(net):
    before = [p.detach().clone() for p in net.parameters()]
    trained(net, OPTIMIZERS["muon"](net, 1e-2), steps=1)
    assert all(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_weights_that_were_moved_in_memory_are_trained():
    """As they are when several processes share a network."""
    net, moved = small_net(), small_net()
    optimizer = OPTIMIZERS["muon"](moved, 1e-2)
    for p in moved.parameters():
        p.data = p.data.clone()
    trained(net, OPTIMIZERS["muon"](net, 1e-2))
    trained(moved, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), moved.parameters(), strict=True))


def test_weights_without_a_gradient_stay():
    net = small_net()
    optimizer = OPTIMIZERS["muon"](net, 1e-2)
    give_gradients(net, 0)
    net[0].weight.grad = None
    before = net[0].weight.detach().clone()
    optimizer.step()
    assert torch.equal(before, net[0].weight)
