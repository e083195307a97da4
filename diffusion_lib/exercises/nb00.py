"""The exercise of notebook 00, to try the machinery on: 0.1 pixels to the model's range."""

import torch

from diffusion_lib.exercises.engine import Exercise, Mistake, Property


def to_model_range(pixels):
    return pixels / 127.5 - 1


def _pixels(generator):
    return (torch.randint(0, 256, (3, 1, 4, 4), generator=generator).float(),)


_RANGE = Exercise(
    id="0.1",
    title="Pixels to the model's range",
    reference=to_model_range,
    inputs=_pixels,
    mistakes=(
        Mistake(
            lambda p: p / 255,
            "That is the range [0, 1]. Noise has mean 0, so pictures should too: the models here want [-1, 1].",
        ),
        Mistake(
            lambda p: p / 127.5,
            "That is the range [0, 2]: the width is right, now move it so that grey is 0.",
        ),
        Mistake(
            lambda p: p / 255 - 1,
            "That is the range [-1, 0]: shifted, but only half as wide as it should be.",
        ),
        Mistake(
            lambda p: p / 255 - 0.5,
            "That is the range [-0.5, 0.5]: centred, but only half as wide as it should be.",
        ),
        Mistake(lambda p: p - 127.5, "Centred, but still 255 wide: scale it to [-1, 1]."),
        Mistake(
            lambda p: p / 128 - 1,
            "Nearly: pixels end at 255, so 128 leaves white at 0.992. The middle is 127.5.",
        ),
        Mistake(
            lambda p: (p - p.mean()) / p.std(),
            "You standardised: that depends on the pictures of the batch. The range [-1, 1] is the same for all.",
        ),
        Mistake(
            lambda p: 2 * (p - p.min()) / (p.max() - p.min()) - 1,
            "You stretched this batch to its own darkest and brightest pixel; 0 and 255 are the ends, always.",
        ),
        Mistake(lambda p: 1 - p / 127.5, "Black and white have changed places: 0 becomes -1."),
    ),
    properties=(
        Property(
            lambda args, answer: bool((answer.abs() <= 1 + 1e-5).all()),
            "Some of your values lie outside [-1, 1].",
        ),
    ),
    hints=(
        "0 must become -1, and 255 must become 1. What becomes of the middle?",
        "Divide first, so that the width is 2; then shift.",
        "255 / 2 = 127.5.",
    ),
)


EXERCISES = (_RANGE,)
