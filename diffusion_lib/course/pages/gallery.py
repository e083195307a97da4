"""A model's pictures as one page to send to somebody: samples, the walk, the nearest training pictures, the card.

It is a notebook that nobody wrote, made into a page by `page_of`, so its scrubber runs where the course's do: without
a kernel and without a network.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...evaluation import nearest_neighbours
from .models import STATE
from .page import Page, page_of

COLUMNS, WALKERS, SHOWN = 8, 16, 8  # pictures in a row, in the scrubber, and beside their neighbours


def gallery(
    title: str,
    samples: Tensor,
    *,
    names: Sequence[str] | None = None,
    states: Sequence[object] = (),
    real: Tensor | None = None,
    real_of: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> Page:
    """Make the page of a model's samples (N, C, H, W) in [-1, 1]. Taught in notebook 13.

    names: what each sample was asked to be; samples of one name stand together.
    states: the stops of a walk with `t`, `x` and `x0` (B, C, H, W), which become a scrubber of the first 16.
    real: the training pictures (M, C, H, W): the samples that are nearest to one of them are shown beside it.
    real_of: what ``real`` are pictures of, such as "the same data set", if they may not be those that were trained on.
    facts: what the model card says, in words.

    Raises ValueError for samples that are no pictures, for names that are not one each, or for other real pictures.
    """
    from nbformat import v4

    if samples.ndim != 4 or samples.shape[1] not in (1, 3):
        raise ValueError(f"samples have shape {tuple(samples.shape)}: a gallery shows pictures (N, 1 or 3, H, W)")
    if names is not None and len(names) != len(samples):
        raise ValueError(f"{len(names)} names for {len(samples)} samples: give one for each")
    if real is not None and real.shape[1:] != samples.shape[1:]:
        raise ValueError(f"real pictures are {tuple(real.shape[1:])}, samples {tuple(samples.shape[1:])}: give alike")
    samples = samples.detach().cpu().clamp(-1, 1)
    state: dict[str, dict] = {}
    cells = [v4.new_markdown_cell(f"# {plain(title)}"), *_samples(samples, names), *_walk(states, state)]
    if real is not None:
        cells += _neighbours(samples, real, real_of)
    if facts:
        rows = "\n".join(f"| {plain(name)} | {plain(text)} |" for name, text in facts.items())
        cells.append(v4.new_markdown_cell(f"## The model card\n\n| | |\n| --- | --- |\n{rows}"))
    notebook = v4.new_notebook(cells=cells)
    if state:
        notebook.metadata["widgets"] = {STATE: {"version_major": 2, "version_minor": 0, "state": state}}
    return page_of(notebook, title, alone=True)


def plain(text: object) -> str:
    """Text in a Markdown table that is neither markup nor a formula, whatever a folder is called."""
    line = html.escape(" ".join(str(text).split()), quote=False)
    return "".join(f"&#{ord(sign)};" if sign in "|*_`$[]\\#~" else sign for sign in line)


def _samples(samples: Tensor, names: Sequence[str] | None) -> list[dict]:
    """All samples, under the names that they were asked by."""
    from nbformat import v4

    from .. import figures

    groups = {"": list(range(len(samples)))}
    if names is not None:
        groups = {name: [i for i, own in enumerate(names) if own == name] for name in dict.fromkeys(names)}
    cells = [v4.new_markdown_cell(f"## {len(samples)} samples\n\nNone was left out, and none was chosen.")]
    for name, rows in groups.items():
        if name:
            cells.append(v4.new_markdown_cell(f"### {plain(name)}"))
        what = f"asked to be {name}" if name else "of this model"
        cells.append(_shown(figures.picture_grid(samples[rows], COLUMNS), f"{len(rows)} samples {what}."))
    return cells


def _walk(states: Sequence[object], state: dict[str, dict]) -> list[dict]:
    """The walk as a scrubber; what the page needs of it goes into ``state``."""
    from ipywidgets.embed import dependency_state
    from nbformat import v4

    from .. import widgets

    if not states:
        return []
    first = [_First(stop.t, stop.x[:WALKERS], stop.x0[:WALKERS]) for stop in states]
    alt = "From noise, at t = 1, to pictures, at t = 0: beside each state, the picture that is guessed behind it."
    scrubber = widgets.scrub(first, size=320, alt=alt)
    bundle = scrubber._repr_mimebundle_()
    state |= dependency_state([scrubber], drop_defaults=False)
    scrubber.close()
    output = v4.new_output("display_data", bundle[0], metadata=bundle[1])
    text = "## From noise to pictures\n\nDrag: on the left is what the walk has made so far, on the right its guess."
    return [v4.new_markdown_cell(text), v4.new_code_cell("", outputs=[output])]


class _First:
    """A stop of a walk, of its first pictures."""

    def __init__(self, t: float, x: Tensor, x0: Tensor):
        self.t, self.x, self.x0 = t, x, x0


def _neighbours(samples: Tensor, real: Tensor, real_of: str | None) -> list[dict]:
    """The samples that are nearest to a real picture, beside it, with both distances in numbers."""
    from nbformat import v4

    from .. import figures

    found = nearest_neighbours(samples, real)
    order = found.distance[:, 0].argsort()[:SHOWN]
    pairs = torch.cat([samples[order], real[found.index[order, 0]]])
    distances = [f"{distance:.1f}" for distance in found.distance[order, 0].tolist()]
    figure = figures.picture_grid(pairs, len(order), names=[*distances, *[""] * len(order)], width=9.0)
    median = found.distance.median().item()
    one, many = "training picture", "training pictures"
    if real_of is not None:
        one, many = f"picture of {real_of}", f"pictures of {real_of}"
    text = (
        f"## Is it a copy?\n\nAbove are the samples that come nearest to a {plain(one)}, below them that picture. "
        f"The distance is Euclidean, over all pixels; 0 is a copy. In the median of all {len(samples)} samples it is "
        f"{median:.1f}"
    )
    if len(real) > 1:
        others = nearest_neighbours(real, real, k=2).distance[:, 1].median().item()
        text += f"; a {plain(one)} is {others:.1f} away from the nearest other one"
    if real_of is not None:
        text += f". These {plain(many)} are not known to be those that the model was trained on, which may lie nearer"
    alt = f"{len(order)} samples above their nearest {many}, {distances[0]} to {distances[-1]} away."
    return [v4.new_markdown_cell(f"{text}."), _shown(figure, alt)]


def _shown(figure: object, alt: str) -> dict:
    """A cell that shows a figure."""
    from nbformat import v4

    from .. import figures

    data, metadata = figures.bundle(figure, alt)
    figures.close(figure)
    return v4.new_code_cell("", outputs=[v4.new_output("display_data", data, metadata=metadata)])
