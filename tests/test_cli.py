"""The command line: what each command writes, and that every error is one line and exit status 2."""

import csv
import dataclasses
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from diffusion_lib import evaluation, training
from diffusion_lib.checkpoints import ModelCard, describe, load_denoiser, save
from diffusion_lib.cli import COMMANDS, arguments, main, models, parser
from diffusion_lib.cli import train as train_command
from diffusion_lib.cli.evaluate import classifier_for
from diffusion_lib.cli.log import Log
from diffusion_lib.cli.train import LOG, MODEL
from diffusion_lib.data import load
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.networks import MLP, NETWORKS
from diffusion_lib.objective import WEIGHTS
from diffusion_lib.predictions import TARGETS
from diffusion_lib.sampling import STEPS
from diffusion_lib.schedules import SCHEDULES, Cosine
from diffusion_lib.training import DECAYS, OPTIMIZERS, TIMES, TrainingConfig

ROOT = Path(__file__).parents[1]
QUICK = ["--data", "mixture", "--count", "200", "--steps", "6", "--batch", "8", "--width", "16", "--depth", "1", "--every", "4",
         "--samples", "20", "--sampler-steps", "3"]  # fmt: skip


def train(out, *more):
    assert main(["train", "--out", str(out), *QUICK, *more]) == 0
    return out


def rows(out):
    return list(csv.DictReader((out / LOG).open()))


def refused(capsys, *arguments):
    """The error of a command that must fail: one line, exit status 2."""
    capsys.readouterr()
    try:
        status = main([str(a) for a in arguments])
    except SystemExit as error:  # argparse
        status = error.code
    err = capsys.readouterr().err
    assert status == 2 and err.count("\n") == 1 and "Traceback" not in err and not err.startswith("usage")
    return err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    out = tmp_path_factory.mktemp("digits")
    options = (
        "--data digits --count 40 --steps 2 --batch 4 --width 8 --multipliers 1,1 --samples 5 --sampler-steps 2 --half"
    )
    assert main(["train", "--out", str(out), *options.split()]) == 0
    return out


def test_train_writes_a_model_a_checkpoint_a_log_and_a_picture(trained):
    assert sorted(p.name for p in trained.iterdir()) == [
        "checkpoint.safetensors",
        "log.csv",
        "model.safetensors",
        "samples.png",
    ]
    assert [int(row["step"]) for row in rows(trained)] == [1, 2, 3, 4, 5, 6]
    assert all(float(row["loss"]) > 0 and float(row["seconds"]) > 0 for row in rows(trained))
    made = describe(trained / MODEL)
    assert (
        made.step == 6 and made.data["name"] == "mixture" and made.training["batch"] == 8 and made.training["seed"] == 0
    )
    assert made.parts["denoiser"]["network"] == {"kind": "MLP", "dim": 2, "width": 16, "depth": 1, "classes": 4}
    one, two = (
        load_denoiser(trained / name).net.state_dict() for name in ("model.safetensors", "checkpoint.safetensors")
    )
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_the_command_does_what_the_functions_do(trained):
    """The same weights as training.train gives with the same options."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = MLP(2, width=16, depth=1, classes=4)
    *_, p = training.train(
        Denoiser(net, Cosine()), load("mixture", count=200), TrainingConfig(steps=6, batch=8), progress=False
    )
    expected = p.denoiser.net.state_dict()
    written = load_denoiser(trained / MODEL).net.state_dict()
    assert all(torch.equal(written[k], expected[k]) for k in expected)


def test_resume_goes_on_where_it_was_and_repairs_the_log(trained, tmp_path, monkeypatch):
    out, real = tmp_path / "run", Log.add

    def stop(self, **row):
        real(self, **row)
        if row["step"] == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Log, "add", stop)
    assert main(["train", "--out", str(out), *QUICK]) == 130
    monkeypatch.undo()
    with (out / LOG).open("a") as log:
        log.write("6,0.")  # a line cut short
    train(out, "--resume")
    assert [int(row["step"]) for row in rows(out)] == [1, 2, 3, 4, 5, 6]
    for a, b in zip(rows(out), rows(trained), strict=True):
        assert (a["loss"], a["grad_norm"], a["lr"]) == (b["loss"], b["grad_norm"], b["lr"])
    assert (out / MODEL).stat().st_size == (trained / MODEL).stat().st_size
    one, two = (load_denoiser(run / MODEL).net.state_dict() for run in (out, trained))
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_sample_draws_a_grid_of_eight_columns(tmp_path, capsys):
    picture = tmp_path / "new" / "x.png"
    arguments = ["sample", "digits", "--out", str(picture), "--samples", "10", "--sampler-steps", "2", "--label", "3"]
    assert main(arguments) == 0 and "wrote 10 samples of digits" in capsys.readouterr().out
    with Image.open(picture) as image:
        width, height = image.size
    assert width / height == pytest.approx(8 / 2, rel=0.1)
    before = picture.read_bytes()
    assert main(arguments) == 0 and picture.read_bytes() == before  # the same seed, the same picture
    for other in (["--seed", "1"], ["--guidance", "3"], ["--sampler", "heun"], ["--label", "4"]):
        assert main([*arguments, *other]) == 0 and picture.read_bytes() != before, other


def test_sample_draws_points(trained, tmp_path):
    assert (
        main(
            [
                "sample",
                str(trained / MODEL),
                "--out",
                str(tmp_path / "x.png"),
                "--sampler-steps",
                "2",
                "--label",
                "B",
            ]
        )
        == 0
    )
    with Image.open(tmp_path / "x.png") as image:
        assert image.size[0] > 100


def test_models_are_opened_on_the_gpu_if_there_is_one(trained, monkeypatch):
    for device in (None, torch.device("meta")):
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available, device=device: device)
        denoiser, _ = models.open_model(str(trained / MODEL))
        assert {p.device for p in denoiser.net.parameters()} == {device or torch.device("cpu")}


def test_labels_are_asked_for_by_name_by_number_or_in_turn():
    def ask(label):
        return models.labels(["a", "b", "c"], label, 4, conditional=True).tolist()

    assert ask(None) == [0, 1, 2, 0] and ask("b") == [1] * 4 and ask("2") == [2] * 4
    for wrong in ("d", "3"):
        with pytest.raises(ValueError, match=rf"--label '{wrong}' is none of a, b, c, nor a number below 3"):
            ask(wrong)


def test_evaluate_prints_the_distance_beside_its_floor(digits, trained, capsys):
    assert main(["evaluate", str(digits / MODEL), "--samples", "50", "--sampler-steps", "2"]) == 0
    out = capsys.readouterr().out
    assert "Fréchet distance of 50 samples to 1442 real pictures" in out and "the same of 50 real ones" in out
    ratio = float(out.split("model / real: ")[1].split(")")[0])
    assert ratio > 3  # two steps of training draw noise
    assert main(["evaluate", str(trained / MODEL), "--sampler-steps", "2"]) == 0
    assert "sliced Wasserstein distance of 300 samples to 5000 real points" in capsys.readouterr().out


def test_a_bundled_classifier_reads_its_own_data_set_only(monkeypatch):
    monkeypatch.setattr(evaluation, "train_classifier", lambda data: f"trained on {data.name}")
    # 0.980, 0.990 and 0.998 were measured when they were made
    for name, least in (("digits", 0.97), ("mnist", 0.985), ("shapes", 0.99)):
        test = load(name, train=False, count=1000 if name == "shapes" else None)
        classifier = classifier_for(load(name, count=10))
        accuracy = evaluation.accuracy(test.x, test.labels, classifier)
        assert accuracy.value > least
    assert classifier_for(load("digits", size=16, count=10)) == "trained on digits"
    assert classifier_for(load("emoji", count=10)) == "trained on emoji"


def test_info_says_what_a_file_holds(trained, digits, capsys):
    assert main(["info", str(trained / MODEL)]) == 0
    out = capsys.readouterr().out
    for word in (
        "after 6 training steps",
        "MLP of 1,010 numbers",
        "width=16",
        "Cosine(s=0.008)",
        "'v'",
        "name='mixture'",
        "lr=0.002",
        "seed=0",
    ):
        assert word in out
    assert main(["info", str(digits / "checkpoint.safetensors")]) == 0


def test_half_stores_float16(digits):
    assert (digits / MODEL).stat().st_size < 0.3 * (digits / "checkpoint.safetensors").stat().st_size


def test_export_calls_the_exporter(monkeypatch, tmp_path):
    import diffusion_lib.cli.export  # noqa: F401  # before the exporter is replaced: its options follow from it
    from diffusion_lib.course import pages

    asked = []
    monkeypatch.setattr(pages, "export", lambda *places, **options: asked.append((*places, options)))
    given = {"form": "slides", "execute": False, "timeout": 5.0, "progress": True}
    arguments = ["export", "slides", "a.ipynb", "--out", str(tmp_path), "--no-execute", "--timeout", "5"]
    assert main(arguments) == 0 and asked == [(tmp_path, [Path("a.ipynb")], given)]
    for arguments in (
        ["export", "--timeout", "5", "slides", "--out", str(tmp_path), "--no-execute", "a.ipynb"],
        ["export", "slides", "--out", str(tmp_path), "--no-execute", "a.ipynb", "--timeout", "5"],
    ):  # options stand where one likes
        assert main(arguments) == 0 and asked.pop() == (tmp_path, [Path("a.ipynb")], given)
    asked.clear()
    assert main(["export", "site"]) == 0
    assert asked == [(Path("site"), None, {"form": "site", "execute": True, "timeout": 900.0, "progress": True})]


def test_the_default_network_halves_pictures_down_to_eight_pixels():
    class Data:
        labels, classes, is_images, name = None, (), True, "pictures"

        def __init__(self, side):
            self.shape = (3, side, side)

    options = parser("train").parse_args(["train", "--data", "x", "--out", "y"])
    configs = {side: train_command.network(Data(side), options, (3, side, side)).config for side in (8, 16, 32, 64)}
    assert {side: len(config["multipliers"]) for side, config in configs.items()} == {8: 2, 16: 2, 32: 3, 64: 4}
    assert all(config["attention"] == [len(config["multipliers"]) - 1] for config in configs.values())
    options = parser("train").parse_args(
        ["train", "--data", "x", "--out", "y", "--multipliers", "1,1,1", "--heads", "2", "--width", "16"]
    )
    config = train_command.network(Data(8), options, (3, 8, 8)).config
    assert (config["multipliers"], config["attention"], config["heads"], config["width"]) == ([1, 1, 1], [2], 2, 16)


# ---- errors ----


@pytest.mark.parametrize("arguments, message", [
    (["train", "--data", "digitz"], "'digitz' is no data set"),
    (["train", "--data", "moons", "--schedule", "Sine"], "--schedule: invalid choice: 'Sine' (choose from"),
    (["train", "--data", "moons", "--predicts", "noise"], "--predicts: invalid choice: 'noise' (choose from"),
    (["train", "--data", "moons", "--steps", "0"], "steps=0 must be a whole number"),
    (["train", "--data", "moons", "--lr", "-1"], "lr=-1.0 must be above 0"),
    (["train", "--data", "moons", "--resume"], "nothing to resume, leave out --resume"),
    (["train", "--data", "shapes", "--count", "10", "--size", "18", "--multipliers", "1,2,2"], "size=18 cannot be halved"),
    (["train", "--data", "folder:none"], "none"),
    (["train", "--data", "digits", "--full"], "full=True: digits has no such option, only size, count, seed, train: leave it out"),
    (["train", "--data", "moons", "--steps", "many"], "invalid int value: 'many'"),
    (["train", "--data", "moons", "--multipliers", "1,x"], "invalid whole_numbers value"),
    (["train", "--data", "moons", "--multipliers", "1,2"], "--multipliers is no option of MLP: leave it out (it takes --width, --depth)"),
    (["train", "--data", "moons", "--network", "UNet"], "--network UNet does not fit moons: x has shape (1, 2), this UNet takes"),
    (["train", "--data", "digits", "--network", "MLP"], "--network MLP does not fit digits, whose examples have the shape (1, 8, 8): leave out"),
    (["train", "--data", "moons", "--predicts", "eps"], "--predicts eps with --schedule Cosine cannot draw from pure noise, eps cannot recover x0"),
    (["train", "--data", "moons", "--predicts", "eps", "--schedule", "Flow"], "use --predicts v or x0, or --schedule LinearBeta, whose end"),
    (["train", "--data", "moons", "--weight", "snr"], "--weight: invalid choice: 'snr'"),
    (["train", "--data", "moons", "--every", "0"], "every=0 must be at least 1"),
    (["train", "--data", "moons", "--samples", "0"], "argument --samples: 0 is too few: give a whole number of at least 1"),
    (["train", "--data", "moons", "--label", "third"], "--label 'third' is none of"),
    (["train", "--data", "swiss_roll", "--guidance", "2"], "takes no condition, so leave it at 1"),
    (["train", "--data", "moons", "--sampler", "euler", "--eta", "1"], "--eta is no option of euler: leave it out"),
])  # fmt: skip
def test_bad_options_of_train(arguments, message, tmp_path, capsys):
    assert message in refused(capsys, *arguments, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()  # nothing is left behind


def test_bad_commands(capsys, trained, tmp_path):
    assert "invalid choice: 'dance'" in refused(capsys, "dance")
    assert "required: COMMAND" in refused(capsys)
    assert "unrecognized arguments: --stepz" in refused(capsys, "sample", "m", "--stepz", "3")


def test_bad_models_and_sampling_options(capsys, trained, tmp_path):
    model = trained / MODEL
    assert "no model named 'faces' comes with the course" in refused(capsys, "sample", "faces")
    assert "none.safetensors does not exist" in refused(capsys, "info", tmp_path / "none.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(model.read_bytes()[:500])
    assert "is cut short" in refused(capsys, "info", tmp_path / "cut.safetensors")
    out = ["--out", tmp_path / "x.png"]
    assert "--sampler: invalid choice: 'ddpm' (choose from" in refused(
        capsys, "sample", model, "--sampler", "ddpm", *out
    )
    assert "--label '9' is none of A, B, C, D" in refused(capsys, "sample", model, "--label", "9", *out)
    for option in ("--samples", "--sampler-steps"):
        err = refused(capsys, "sample", model, option, "0", *out)
        assert f"argument {option}: 0 is too few: give a whole number of at least 1" in err
    assert "cannot write here" in refused(capsys, "sample", model, "--out", model / "x.png")
    assert not (tmp_path / "x.png").exists()
    for count in ("1", "12000"):  # there are 10000 points to test with, each with its label
        assert f"--samples {count}: compare 2 to 10000" in refused(capsys, "evaluate", model, "--samples", count)
    assert "shape (1, 8, 8), the model makes (2,)" in refused(capsys, "evaluate", model, "--data", "digits")
    for name in ("swiss_roll", "checkerboard"):
        err = refused(capsys, "evaluate", model, "--data", name)
        assert f"{name} has no labels to ask the model by: compare with the data it was trained on" in err


@pytest.mark.parametrize("field", ["name", "shape"])
def test_a_card_that_says_half_of_what_the_data_were(field, capsys, tmp_path):
    """Said before anything is drawn or written."""
    model, picture = tmp_path / MODEL, tmp_path / "x.png"
    data = {"name": "moons", "shape": [2]}
    del data[field]
    save(model, {"denoiser": Denoiser(MLP(2, width=16, depth=1), Cosine())}, card=ModelCard(data=data))
    for command in (["sample", model, "--out", picture], ["evaluate", model], ["gallery", model, "--out", picture]):
        assert f"(no {field}): save it with a card that says data={{'name': …, 'shape': …}}" in refused(
            capsys, *command
        )
    assert not picture.exists()


def test_eps_is_trained_where_the_error_sends_it(tmp_path):
    train(tmp_path / "run", "--predicts", "eps", "--schedule", "LinearBeta")
    assert (tmp_path / "run" / "samples.png").exists()


def test_labels_of_a_model_without_labels(capsys, tmp_path):
    train(tmp_path / "run", "--data", "swiss_roll")
    model = tmp_path / "run" / MODEL
    assert describe(model).parts["denoiser"]["network"]["classes"] == 0
    assert "knows no labels, so leave it out" in refused(capsys, "sample", model, "--label", "0")
    assert "takes no condition, so leave it at 1" in refused(capsys, "sample", model, "--guidance", "2")


def test_a_run_is_not_overwritten_and_not_resumed_with_other_options(capsys, trained):
    before = (trained / "checkpoint.safetensors").read_bytes()
    assert "holds a run already: add --resume" in refused(capsys, "train", "--out", trained, *QUICK)
    assert "was made with lr=0.002, this run has lr=0.1" in refused(
        capsys, "train", "--out", trained, *QUICK, "--resume", "--lr", "0.1")  # fmt: skip
    assert (trained / "checkpoint.safetensors").read_bytes() == before


def test_an_output_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write here" in refused(capsys, "train", "--out", tmp_path / "file" / "run", *QUICK)


def test_nan_loss_is_one_line_too(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "diffusion_lib.training.loop.loss", lambda *a, **k: torch.full((8,), torch.nan, requires_grad=True)
    )
    assert "loss is nan at step 1 of 6: lower lr=0.002" in refused(capsys, "train", "--out", tmp_path / "run", *QUICK)
    assert not (tmp_path / "run").exists()


def test_the_module_runs_as_a_command(tmp_path):
    """A real process: the list of commands without loading torch, and an error that is one line on stderr."""
    run = lambda *a: subprocess.run([sys.executable, *a], capture_output=True, text=True, cwd=ROOT, timeout=120)  # noqa: E731
    helped = run("-m", "diffusion_lib", "train", "--help")
    assert helped.returncode == 0 and "--label-dropout" in helped.stdout
    loaded = run(
        "-c", "import sys; from diffusion_lib.cli import main, parser; parser(); print('torch' in sys.modules)"
    )
    assert loaded.stdout.strip() == "False"
    failed = run("-m", "diffusion_lib", "info", str(tmp_path / "none.safetensors"))
    assert failed.returncode == 2 and failed.stderr.count("\n") == 1 and os.linesep not in failed.stdout


def test_init_starts_from_the_weights_of_a_model(trained, tmp_path, capsys):
    model = str(trained / MODEL)
    new = train(tmp_path / "run", "--init", model, "--lr", "1e-30")
    one, two = (load_denoiser(run / MODEL).net.state_dict() for run in (new, trained))
    assert all(torch.equal(one[k], two[k]) for k in one)  # with no learning to speak of, they stay what they were
    assert "this run {'kind': 'MLP', 'dim': 2, 'width': 32" in refused(
        capsys, "train", "--out", tmp_path / "other", *QUICK, "--init", model, "--width", "32")  # fmt: skip


def test_init_takes_another_schedule_and_no_other_target(trained, tmp_path, capsys):
    model = str(trained / MODEL)
    train(tmp_path / "run", "--init", model, "--schedule", "EDM")
    err = refused(capsys, "train", "--out", tmp_path / "other", *QUICK, "--init", model, "--predicts", "x0")
    assert f"--init {model} predicts v, this run x0: give --predicts v, or leave out --init" in err
    assert not (tmp_path / "other").exists()


def test_init_takes_inputs_of_another_size_only_where_both_are_of_unit_size(tmp_path, capsys):
    """Dividing by hypot(alpha, sigma) = 1 changes nothing, on EDM's schedule it does."""
    model = tmp_path / MODEL
    denoiser = Denoiser(MLP(2, width=16, depth=1, classes=4), Cosine(), scale_input=False)
    save(model, {"denoiser": denoiser}, card=ModelCard(data={"name": "mixture", "shape": [2]}))
    train(tmp_path / "run", "--init", str(model))
    err = refused(capsys, "train", "--out", tmp_path / "other", *QUICK, "--init", model, "--schedule", "EDM")
    assert "has scale_input=False on Cosine(s=0.008), this run scale_input=True on EDM(" in err
    assert err.endswith("so inputs would be of another size: leave out --init\n")


# ---- options follow from what they belong to ----


def helped(command):
    return " ".join(parser(command)._subparsers._group_actions[0].choices[command].format_help().split())


def test_every_option_of_a_training_is_on_the_command_line_with_its_help_and_default():
    text = helped("train")
    options = arguments.options_of(TrainingConfig)
    assert list(options) == [field.name for field in dataclasses.fields(TrainingConfig)]
    for name, option in options.items():
        flag = f"--{name.replace('_', '-')}"
        assert option.help and f"{flag} " in text and f"{option.help} (default: {option.default})" in text, name
    parsed = parser("train").parse_args(["train", "--data", "moons", "--out", "x"])
    assert TrainingConfig(**{name: getattr(parsed, name) for name in options}) == TrainingConfig()
    values = {"steps": 7, "batch": 3, "optimizer": "muon", "lr": 0.5, "warmup": 1, "decay": "none", "ema": 0.5, "clip": 2.0, "label_dropout": 0.5,
              "times": "logit_normal", "times_mean": 1.0, "times_deviation": 2.0, "times_uniform": 0.5, "stratified": False, "weight": "snr+1",
              "seed": 5, "precision": "float32"}  # fmt: skip
    assert all(value != getattr(TrainingConfig(), name) for name, value in values.items()) and list(values) == list(
        options
    )
    words = [
        word
        for name, value in values.items()
        if name != "stratified"
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    parsed = parser("train").parse_args(["train", "--data", "moons", "--out", "x", "--no-stratified", *words])
    assert TrainingConfig(**{name: getattr(parsed, name) for name in options}) == TrainingConfig(**values)


def test_choices_are_those_of_the_registries():
    text = helped("train")
    for flag, registry in (
        ("decay", DECAYS),
        ("optimizer", OPTIMIZERS),
        ("times", TIMES),
        ("weight", WEIGHTS),
        ("predicts", TARGETS),
        ("sampler", STEPS),
    ):
        assert f"--{flag} {{{','.join(registry)}}}" in text
    assert set(train_command.usual_schedules()) == set(SCHEDULES) - {"Discrete"}  # which needs a table
    assert {"MLP", "UNet"} <= set(train_command.offered_networks()) <= set(NETWORKS)


def test_what_is_registered_is_offered(monkeypatch):
    """One of each, added in one place: it is in the choices and the help, and its own options are too."""

    def leap(
        denoise, x, t, s, *,
        strength: float = 0.5,  # how far a leap goes
        generator: object = None,
    ):  # fmt: skip
        return x

    class Tiny(torch.nn.Module):
        def __init__(self, dim: int = 2, *, classes: int = 0, spin: int = 3):
            super().__init__()

    for registry, thing in (
        (STEPS, leap),
        (NETWORKS, Tiny),
        (DECAYS, leap),
        (WEIGHTS, leap),
        (TIMES, leap),
        (OPTIMIZERS, leap),
    ):
        monkeypatch.setitem(registry, thing.__name__, thing)
    text = helped("train")
    assert "--strength STRENGTH how far a leap goes (leap: 0.5)" in text and "(Tiny: 3)" in text
    for option in ("decay", "weight", "times", "sampler", "optimizer"):
        assert re.search(rf"--{option} {{[^}}]*leap}}", text), option
    parsed = parser("train").parse_args(
        ["train", "--data", "x", "--out", "y", "--sampler", "leap", "--strength", "0.1", "--decay", "leap"]
    )
    assert (parsed.sampler, parsed.strength, TrainingConfig(decay=parsed.decay).decay) == ("leap", 0.1, "leap")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_help_speaks_of_none(command):
    text = helped(command)
    assert "(default: None)" not in text and "(default: False)" not in text and "inspect" not in text


def test_eta_reaches_the_sampler(tmp_path):
    pictures = []
    for more in ([], ["--eta", "0"], ["--eta", "1"]):
        assert (
            main(
                ["sample", "digits", "--out", str(tmp_path / "x.png"), "--samples", "2", "--sampler-steps", "3", *more]
            )
            == 0
        )
        pictures.append((tmp_path / "x.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_fresh_examples_are_trained_on_without_end(tmp_path, trained, capsys):
    """Other losses than on a fixed set, and a model that knows its classes; a set that is not drawn is refused."""
    fresh = QUICK[:2] + QUICK[4:] + ["--fresh"]
    assert main(["train", "--out", str(tmp_path / "run"), *fresh]) == 0
    assert [row["loss"] for row in rows(tmp_path / "run")] != [row["loss"] for row in rows(trained)]
    card = describe(tmp_path / "run" / MODEL)
    assert (card.data["name"], card.data["classes"], card.data["shape"]) == ("mixture", ["A", "B", "C", "D"], [2])
    assert "count" not in card.data
    assert "--count 200 with --fresh" in refused(capsys, "train", "--out", tmp_path / "no", *QUICK, "--fresh")
    assert "has a fixed number of examples" in refused(
        capsys, "train", "--data", "digits", "--out", tmp_path / "no", "--fresh"
    )
    assert "--full with --fresh" in refused(
        capsys, "train", "--data", "mnist", "--out", tmp_path / "no", "--fresh", "--full"
    )
    assert not (tmp_path / "no").exists()


# ---- Ctrl-C ----


def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(trained, tmp_path, capsys, monkeypatch):
    """A signal in the middle of step 5: the step is finished, its checkpoint saved, and the run goes on from there."""
    out, real = tmp_path / "run", training.engine.Run.check_finite

    def press(self, step, losses, grad_norm):
        real(self, step, losses, grad_norm)
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(training.engine.Run, "check_finite", press)
    before = signal.getsignal(signal.SIGINT)
    assert main(["train", "--out", str(out), *QUICK]) == 130
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    err = capsys.readouterr().err
    assert err.strip() == (f"interrupted at step 5 of 6, saved in {out / 'checkpoint.safetensors'}: "
                           "give the same command with --resume to go on")  # fmt: skip
    assert describe(out / "checkpoint.safetensors").step == 5 and not (out / MODEL).exists()
    train(out, "--resume")
    one, two = (load_denoiser(run / MODEL).net.state_dict() for run in (out, trained))
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_a_second_ctrl_c_does_not_wait(tmp_path, capsys, monkeypatch):
    def press(self, step, losses, grad_norm):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the step went on")

    monkeypatch.setattr(training.engine.Run, "check_finite", press)
    assert main(["train", "--out", str(tmp_path / "run"), *QUICK]) == 130
    assert "interrupted before the end of the first step: nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
