"""What all networks have, and how one is rebuilt from its description."""

from __future__ import annotations

from torch import Tensor, nn

from ..conditions import Condition
from ..registry import Registry

NETWORKS: Registry[type[nn.Module]] = Registry("kind")
"""Every network by its class's name: `@NETWORKS.register` adds one, and files and command line know it."""


class Network(nn.Module):
    """A network that takes no condition; a conditional one overrides ``conditional`` and ``null``."""

    config: dict
    conditional = False

    def null(self, cond: Condition) -> Condition:
        """The condition by which nothing is asked for; a network without conditions refuses all but None."""
        if cond is not None:
            raise ValueError(f"this {type(self).__name__} takes no condition: pass cond=None")


def build(config: dict) -> nn.Module:
    """Rebuild an untrained network from the ``.config`` of another: ``build(net.config)``. Notebook 05.

    Raises:
        ValueError: the kind is unknown, or its class does not take these arguments.
    """
    arguments = dict(config)
    kind = arguments.pop("kind", None)
    network = NETWORKS.find(kind)
    try:
        return network(**arguments)
    except TypeError as error:
        raise ValueError(f"a {kind} cannot be built from {arguments}: {error}") from None


def parameter_count(net: nn.Module) -> int:
    """Count the weights of a network; works on the meta device too. Notebook 04."""
    return sum(p.numel() for p in net.parameters())


def thaw(net: nn.Module) -> None:
    """Let a network be trained whose weights are all frozen, such as one from a file; a frozen part stays so."""
    if not any(p.requires_grad for p in net.parameters()):
        net.requires_grad_(True)


def zero(layer: nn.Module) -> nn.Module:
    """Set a layer's weights to 0, so a residual branch starts as the identity and an output starts at 0."""
    for p in layer.parameters():
        nn.init.zeros_(p)
    return layer


def check_shape(net: nn.Module, x: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse an ``x`` that is not a batch of examples of ``shape``."""
    if tuple(x.shape[1:]) != shape:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"x has shape {tuple(x.shape)}, this {type(net).__name__} takes (B, {wanted})")
