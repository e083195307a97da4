"""Shared by all tests: one thread count, exact reference mixtures, the schedules of the course."""

import os
import random
import socket
import tempfile

# One worker a core is how these tests use the machine (see pyproject.toml); two threads in each would fight for it.
# Before torch is imported, and inherited by the kernels that run the notebooks.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a learner has answered is not for tests to read or to add to; the kernels inherit this, too.
os.environ["DIFFUSION_PROGRESS"] = os.path.join(tempfile.mkdtemp(prefix="diffusion_progress_"), "progress.jsonl")

import numpy as np
import pytest
import torch

from diffusion_lib.gaussians import GaussianMixture
from diffusion_lib.schedules import (
    EDM,
    Cosine,
    CosineBeta,
    Discrete,
    Flow,
    LinearBeta,
    ScaledLinearBeta,
    SigmoidBeta,
)

ALL_SCHEDULES = [
    Cosine(),
    Flow(),
    EDM(),
    LinearBeta(),
    ScaledLinearBeta(),
    CosineBeta(),
    SigmoidBeta(),
    Discrete((0.1, 0.2, 0.5)),
]


def schedule_name(schedule):
    return type(schedule).__name__


@pytest.fixture(params=ALL_SCHEDULES, ids=schedule_name)
def schedule(request):
    return request.param


@pytest.fixture
def mixture():
    """Two unequal bumps in the plane, float64."""
    return GaussianMixture(
        torch.tensor([0.3, 0.7], dtype=torch.float64),
        torch.tensor([[1.5, 0.0], [-1.0, 1.0]], dtype=torch.float64),
        torch.tensor([0.05, 0.1], dtype=torch.float64),
    )


@pytest.fixture
def line_mixture():
    """Two bumps on a line, float64."""
    return GaussianMixture(
        torch.tensor([0.4, 0.6], dtype=torch.float64),
        torch.tensor([[-1.0], [0.8]], dtype=torch.float64),
        torch.tensor([0.04, 0.09], dtype=torch.float64),
    )


@pytest.fixture
def no_network(monkeypatch):
    """Whoever asks for a connection is told that there is none."""

    def refuse(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def same_chance():
    """What draws without a generator draws the same in every run: no test fails by chance."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def pytest_terminal_summary(terminalreporter):
    """What needed a second try, and where the time went: the longest files, in seconds of the worker that ran them."""
    if again := terminalreporter.stats.get("rerun"):
        terminalreporter.section("tried again")
        for report in again:
            terminalreporter.write_line(report.nodeid)
    seconds = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                file = report.nodeid.split("::")[0]
                seconds[file] = seconds.get(file, 0.0) + report.duration
    if sum(seconds.values()) > 60:
        longest = sorted(seconds.items(), key=lambda item: -item[1])[:20]
        terminalreporter.section("where the time went")
        terminalreporter.write_line(", ".join(f"{file} {count:.0f} s" for file, count in longest))
