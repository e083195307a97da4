"""The command line for latents and captions: ``autoencoder``, ``train --latent --captions``, ``sample --caption``."""

import pytest
import torch
from PIL import Image

from diffusion_lib.checkpoints import describe, load
from diffusion_lib.cli import evaluate, main, models, parser
from diffusion_lib.denoisers import Guided
from diffusion_lib.evaluation import train_classifier
from diffusion_lib.sampling import sample


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    """A hardly trained autoencoder of shapes."""
    out = tmp_path_factory.mktemp("autoencoder")
    arguments = ["--data", "shapes", "--fresh", "--steps", "3", "--batch", "8", "--width", "16", "--half"]
    assert main(["autoencoder", *arguments, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def captioned(tmp_path_factory, autoencoder):
    """A hardly trained model of its latents, told captions."""
    out = tmp_path_factory.mktemp("captioned")
    latent = ["--latent", str(autoencoder / "autoencoder.safetensors"), "--captions", "--without", "red star"]
    network = ["--width", "16", "--multipliers", "1", "--attention", "0", "--text-width", "16", "--samples", "4"]
    steps = ["--steps", "2", "--batch", "4", "--sampler-steps", "2"]
    assert main(["train", "--data", "shapes", "--fresh", *latent, *network, *steps, "--out", str(out)]) == 0
    return out


def test_autoencoder_writes_a_model_and_its_reconstructions(autoencoder, capsys):
    assert sorted(path.name for path in autoencoder.iterdir()) == ["autoencoder.safetensors", "reconstructions.png"]
    net = load(autoencoder / "autoencoder.safetensors")["autoencoder"]
    assert net.config["width"] == 16 and net.shape == (3, 32, 32) and (net.std != 1).all()  # the scale is set
    width, height = Image.open(autoencoder / "reconstructions.png").size
    assert width == height  # four rows of eight, each above what is left of it
    card = describe(autoencoder / "autoencoder.safetensors")
    assert card.training["steps"] == 3 and card.step == 3 and card.data["name"] == "shapes"
    assert main(["info", str(autoencoder / "autoencoder.safetensors")]) == 0
    assert "Autoencoder of" in capsys.readouterr().out


def test_a_model_of_latents_holds_its_autoencoder_and_draws_from_captions(captioned, autoencoder, tmp_path, capsys):
    parts = load(captioned / "model.safetensors")
    assert list(parts) == ["autoencoder", "denoiser"] or list(parts) == ["denoiser", "autoencoder"]
    inside = load(autoencoder / "autoencoder.safetensors")["autoencoder"].state_dict()
    assert all(torch.equal(inside[name], value) for name, value in parts["autoencoder"].state_dict().items())
    card = describe(captioned / "model.safetensors")
    assert card.data["shape"] == [4, 8, 8] and len(card.data["captions"]) == 16
    assert not any("red star" in caption for caption in card.data["captions"])
    assert card.data["without"] == ["red star"]
    draw = ["--samples", "3", "--sampler-steps", "2", "--guidance", "2", "--out", str(tmp_path / "stars.png")]
    caption = "a small red star on a dark background"
    assert main(["sample", str(captioned / "model.safetensors"), "--caption", caption, *draw]) == 0
    model, card = models.open_model(str(captioned / "model.safetensors"))
    options = parser("sample").parse_args(["sample", "x", "--caption", caption, *draw])
    cond = models.sampling_arguments(model, card.data, options)["cond"]
    assert torch.equal(cond, parts["denoiser"].net.tokens([caption] * 3))
    pictures = models.draw(model, card.data, options)
    guided = Guided(model.denoiser, 2.0)
    expected = model.decode(sample(guided, (4, 8, 8), 3, steps=2, cond=cond))
    torch.testing.assert_close(pictures, expected, rtol=1e-5, atol=1e-5)
    capsys.readouterr()


def test_captions_in_turn_are_those_of_the_card(captioned):
    model, card = models.open_model(str(captioned / "model.safetensors"))
    options = parser("sample").parse_args(["sample", "x", "--samples", "20"])
    tokens = models.sampling_arguments(model, card.data, options)["cond"]
    assert model.denoiser.net.text.tokens.captions(tokens[:16]) == tuple(card.data["captions"])
    assert torch.equal(tokens[16:], tokens[:4])


def test_evaluate_asks_a_model_of_captions_by_caption(captioned, capsys, monkeypatch):
    monkeypatch.setattr(evaluate, "classifier_for", lambda data: train_classifier(data, steps=1))
    model = str(captioned / "model.safetensors")
    assert main(["evaluate", model, "--samples", "20", "--sampler-steps", "2"]) == 0
    said = capsys.readouterr().out
    assert "Fréchet distance of 20 samples to 5000 real pictures" in said and "a classifier gives their label" in said


def test_what_does_not_go_with_captions_and_latents_is_refused(captioned, autoencoder, tmp_path, capsys):
    model, out = str(captioned / "model.safetensors"), str(tmp_path / "out")
    ae = str(autoencoder / "autoencoder.safetensors")
    for arguments, message in (
        (["sample", model, "--label", "3"], "--label 3: this model is asked in words: use --caption"),
        (["sample", model, "--caption", "a pink star"], "the word 'pink' is unknown"),
        (["sample", "digits", "--caption", "a star"], "--caption 'a star': this model knows no words"),
        (["sample", ae], "holds autoencoder, no denoiser"),
        (["train", "--data", "digits", "--captions", "--out", out], "--captions: digits has none"),
        (
            ["train", "--data", "digits", "--latent", ae, "--out", out],
            "is for pictures (3, 32, 32), digits has (1, 8, 8)",
        ),
        (
            ["train", "--data", "shapes", "--latent", model.replace("model", "checkpoint"), "--out", out],
            "no autoencoder",
        ),
        (["train", "--data", "shapes", "--without", "pink star", "--out", out], "'pink'"),
        (["autoencoder", "--data", "moons", "--out", out], "an autoencoder takes square pictures"),
        (
            ["autoencoder", "--data", "shapes", "--steps", "0", "--out", out],
            "steps=0: take a whole number of at least 1",
        ),
    ):
        assert main(arguments) == 2, arguments
        assert message in capsys.readouterr().err, arguments
    assert not (tmp_path / "out").exists()
