"""A model's gallery page: what stands on it, that it needs no network, and a folder from its files to that page."""

import json
import re
import warnings

import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image, ImageDraw

from diffusion_lib.checkpoints import ModelCard, describe, load_denoiser, save
from diffusion_lib.cli import main, models, parser
from diffusion_lib.cli.gallery import real_pictures, walk
from diffusion_lib.course.pages.gallery import gallery
from diffusion_lib.data import load
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.networks import UNet
from diffusion_lib.sampling import State
from diffusion_lib.schedules import Cosine

SMALL = ["--size", "8", "--steps", "6", "--every", "3", "--batch", "8", "--width", "16", "--multipliers", "1,2", "--attention", "1",
         "--samples", "4", "--sampler-steps", "3", "--precision", "float32"]  # fmt: skip


def soup_of(page):
    return BeautifulSoup(page.html, "html.parser")


def models_in(soup):
    return json.loads(soup.find(id="diffusion-widgets").string)


@pytest.fixture(scope="module")
def pictures():
    return torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


# ---- the page ----


def test_everything_is_inside_and_nothing_leads_out(pictures):
    states = [State(t, pictures, pictures) for t in (1.0, 0.5, 0.0)]
    soup = soup_of(gallery("Mine", pictures, states=states, real=pictures.flip(0), facts={"data": "mine"}))
    assert not [
        tag
        for tag in soup.find_all(["img", "script", "link", "a"])
        if "http" in str(tag.get("src", "")) + str(tag.get("href", ""))
    ]
    assert (
        all(a["href"].startswith("#") for a in soup.find_all("a"))
        and not soup.select("link:not([href^='data:'])")
        and not soup.find_all("pre")
    )
    assert [heading.get_text() for heading in soup.find_all(["h1", "h2"])] == [
        "Mine", "6 samples", "From noise to pictures", "Is it a copy?", "The model card",
    ]  # fmt: skip
    assert all(image["alt"].strip() for image in soup.find_all("img"))


def test_the_scrubber_has_every_stop_of_the_first_sixteen():
    pictures = torch.zeros(20, 1, 8, 8)
    soup = soup_of(gallery("Mine", pictures, states=[State(t, pictures, pictures) for t in (1.0, 0.6, 0.0)]))
    (frames,) = [model for model in models_in(soup).values() if model["widget"] == "Frames"]
    assert frames["state"]["times"] == [1.0, 0.6, 0.0]
    assert [track["n"] for track in frames["state"]["_tracks"]] == [16, 16]
    assert soup.find(attrs={"data-diffusion-widget": True})


def test_a_copy_has_distance_zero_and_comes_first(pictures):
    real = torch.cat([torch.ones(3, 3, 8, 8), pictures[4:5]])
    text = soup_of(gallery("Mine", pictures, real=real)).find("main")
    assert "6 samples above their nearest training pictures, 0.0 to" in str(text)
    median = torch.cdist(pictures.flatten(1), real.flatten(1)).min(1).values.median()
    assert f"median of all 6 samples it is {median:.1f}" in text.get_text()


def test_other_pictures_are_not_called_those_that_were_trained_on(pictures):
    page = soup_of(gallery("Mine", pictures, real=pictures.flip(0), real_of="my|folder"))
    text = page.main.get_text()
    assert "nearest to a picture of my|folder, below them that picture" in text
    assert "a picture of my|folder is" in text and "not known to be those that the model was trained on" in text
    assert page.find_all("img")[-1]["alt"].startswith("6 samples above their nearest pictures of my|folder, 0.0 to")
    assert "training picture" not in str(page.main)


def test_samples_stand_under_what_they_were_asked_to_be(pictures):
    soup = soup_of(gallery("Mine", pictures, names=["cat", "dog", "cat", "cat", "dog", "dog"]))
    assert [heading.get_text() for heading in soup.find_all("h3")] == ["cat", "dog"]
    assert [image["alt"] for image in soup.find_all("img")] == [
        "3 samples asked to be cat.",
        "3 samples asked to be dog.",
    ]


def test_names_of_folders_are_text_whatever_they_are(pictures):
    name = "<script>alert(1)</script> *a* | $x$ [b](http://c)"
    soup = soup_of(gallery(name, pictures, names=[name] * 6, facts={"data": name, name: "x"}))
    assert soup.h1.get_text() == name == soup.h3.get_text()
    assert [cell.get_text() for cell in soup.select("tbody td")][:2] == ["data", name]
    assert (
        not soup.main.find_all("em")
        and not soup.main.find_all("a")
        and not soup.find("script", string=re.compile("alert"))
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": torch.zeros(3, 2)}, "shows pictures"),
        ({"samples": torch.zeros(3, 2, 8, 8)}, "shows pictures"),
        ({"names": ["a"]}, "1 names for 6 samples"),
        ({"real": torch.zeros(2, 3, 4, 4)}, "give alike"),
    ],
)
def test_what_does_not_fit_is_refused(pictures, change, message):
    with pytest.raises(ValueError, match=message):
        gallery("Mine", **{"samples": pictures, **change})


# ---- a folder, from its files to the page ----


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    """A folder as people have it: two classes, JPEG and PNG, all sizes and modes, one file that is broken."""
    root = tmp_path_factory.mktemp("pictures") / "my|folder"
    (root / "red").mkdir(parents=True)
    (root / "blue").mkdir()
    for i in range(6):
        for name, colour in (("red", (220, 40, 30)), ("blue", (30, 60, 220))):
            picture = Image.new("RGB", (20 + 7 * i, 40 - 3 * i), "white")
            ImageDraw.Draw(picture).ellipse((4, 4, 16 + i, 16 + i), fill=colour)
            picture.save(root / name / f"plain{i}.{'jpg' if i % 2 else 'png'}")
    Image.new("P", (16, 16)).save(root / "red" / "palette.png")
    Image.new("L", (9, 30), 128).save(root / "red" / "grey.jpg")
    Image.new("RGBA", (16, 16), (255, 0, 0, 0)).save(root / "red" / "clear.png")
    Image.new("CMYK", (16, 16)).save(root / "blue" / "print.jpg")
    Image.fromarray(torch.full((12, 12), 40000, dtype=torch.uint16).numpy()).save(root / "blue" / "sixteen.png")
    frames = [Image.new("P", (16, 16), i) for i in range(3)]
    frames[0].save(root / "blue" / "moves.gif", save_all=True, append_images=frames[1:])
    turned = Image.new("RGB", (30, 20), "white")
    turned.paste((0, 0, 0), (0, 0, 15, 20))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(root / "red" / "turned.jpg", exif=exif)
    (root / "blue" / "broken.jpg").write_bytes(b"\xff\xd8 and then nothing")
    return root


def run(*arguments):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "folder:")  # broken.jpg is skipped, which is tested below
        return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def trained(messy, tmp_path_factory):
    """Two runs of one training: one straight through, one stopped after three steps and resumed."""
    places = [tmp_path_factory.mktemp("runs") / name for name in ("straight", "resumed")]
    command = ["train", "--data", f"folder:{messy}", *SMALL, "--out"]
    assert run(*command, places[0]) == 0

    class Stop(Exception):
        pass

    from diffusion_lib.cli import train as command_of_train

    write = command_of_train.write_picture

    def stop(*_):
        raise Stop

    command_of_train.write_picture = stop  # called behind the checkpoint of step 3
    try:
        with pytest.raises(Stop):
            run(*command, places[1])
    finally:
        command_of_train.write_picture = write
    assert describe(places[1] / "checkpoint.safetensors").step == 3
    assert run(*command, places[1], "--resume") == 0
    return places


def test_every_kind_of_picture_is_read_and_the_broken_one_named(messy):
    with pytest.warns(UserWarning, match=r"1 of 20 files cannot be read: blue/broken\.jpg"):
        data = load(f"folder:{messy}", size=8)
    assert len(data) == 19 and data.skipped == ("blue/broken.jpg",) and data.classes == ("blue", "red")
    assert -1 <= data.x.min() < -0.5 and data.x.max() == 1


def test_a_folders_training_resumes_bit_for_bit(trained):
    straight, resumed = (load_denoiser(place / "model.safetensors").net.state_dict() for place in trained)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    assert any(value.abs().sum() > 0 for value in straight.values())


def test_a_folder_becomes_a_gallery(trained, messy, tmp_path, capsys):
    out = tmp_path / "pages" / "gallery.html"
    assert run("gallery", trained[0] / "model.safetensors", "--samples", "6", "--sampler-steps", "3", "--out", out) == 0
    assert "wrote 6 samples of folder my|folder" in capsys.readouterr().out
    soup = BeautifulSoup(out.read_text(encoding="utf-8"), "html.parser")
    assert [heading.get_text() for heading in soup.find_all("h3")] == ["blue", "red"]
    assert soup.h1.get_text() == "Pictures of a model of folder my|folder"
    facts = {row.select("tbody td")[0].get_text(): row.find_all("td")[1].get_text() for row in soup.find_all("tr")[1:]}
    assert facts["training steps"] == "6" and facts["training pictures"] == "19 of folder my|folder"
    assert str(messy.parent) not in out.read_text(encoding="utf-8")  # whoever reads the page learns no path
    (frames,) = [model for model in models_in(soup).values() if model["widget"] == "Frames"]
    assert frames["state"]["times"] == pytest.approx([1, 2 / 3, 1 / 3, 0])


def test_a_gallery_without_the_pictures_says_so(trained, messy, tmp_path, capsys):
    hidden = messy.with_name("moved")
    messy.rename(hidden)
    try:
        model, out = trained[0] / "model.safetensors", tmp_path / "gallery.html"
        assert run("gallery", model, "--samples", "2", "--sampler-steps", "2", "--out", out) == 0
        assert "without the nearest training pictures" in capsys.readouterr().err
        soup = BeautifulSoup(out.read_text(encoding="utf-8"), "html.parser")
        assert "could not be had" in soup.get_text() and "Is it a copy?" not in soup.get_text()
        assert run("gallery", model, "--data", f"folder:{messy}", "--out", out) == 2
    finally:
        hidden.rename(messy)


def test_the_walk_ends_at_the_samples(trained):
    """The scrubber shows how those pictures came to be that stand above it, not others."""
    options = parser("gallery").parse_args(
        ["gallery", str(trained[0] / "model.safetensors"), "--samples", "5", "--sampler-steps", "4", "--guidance", "2"]
    )
    model, card = models.open_model(options.model)
    torch.testing.assert_close(walk(model, card, options)[-1].x, models.draw(model, card.data, options))


def test_points_have_no_gallery(tmp_path, capsys):
    quick = ["--data", "moons", "--count", "50", "--steps", "2", "--width", "16", "--depth", "1", "--samples", "4"]
    assert run("train", *quick, "--out", tmp_path / "run") == 0
    assert run("gallery", tmp_path / "run" / "model.safetensors") == 2
    assert "draws points, no pictures" in capsys.readouterr().err


# ---- what was asked, and which pictures were trained on ----


def asked_on_the_page(folder, network, classes, *more):
    """The headings over the samples, and what is said of the first picture, of a model of digits that learned nothing."""
    net = UNet(width=16, multipliers=(1, 1), attention=(1,), **network)
    card = ModelCard(data={"name": "digits", "shape": [1, 8, 8], "classes": classes})
    save(folder / "model.safetensors", {"denoiser": Denoiser(net, Cosine())}, card=card)
    out = folder / "gallery.html"
    quick = ["--samples", "4", "--sampler-steps", "1", "--no-compare", "--out", out]
    assert run("gallery", folder / "model.safetensors", *quick, *more) == 0
    soup = BeautifulSoup(out.read_text(encoding="utf-8"), "html.parser")
    return [heading.get_text() for heading in soup.find_all("h3")], soup.main.find("img")["alt"]


def test_nothing_is_said_to_be_asked_of_a_model_that_cannot_be_asked(tmp_path):
    nothing = ([], "4 samples of this model.")
    assert asked_on_the_page(tmp_path, {}, list("0123456789")) == nothing
    assert asked_on_the_page(tmp_path, {"classes": 3}, list("123"), "--guidance", "0") == nothing
    assert asked_on_the_page(tmp_path, {"words": ["red", "star"], "length": 2}, []) == nothing


@pytest.mark.parametrize(("label", "name"), [("1", "1"), ("3", "3"), ("0", "1")])
def test_the_names_are_those_of_the_labels_that_were_asked(label, name, tmp_path):
    """A class of that name goes before the number, on the page as in the samples."""
    asked = asked_on_the_page(tmp_path, {"classes": 3}, ["1", "2", "3"], "--label", label)
    assert asked == ([name], f"4 samples asked to be {name}.")


def test_the_names_are_the_captions_that_were_asked(tmp_path):
    asked = asked_on_the_page(tmp_path, {"words": ["red", "star"], "length": 2}, [], "--caption", "red star")
    assert asked == (["red star"], "4 samples asked to be red star.")


def trained_on(folder, *more):
    """A model that is hardly trained, with these options."""
    quick = ["--size", "16", "--steps", "1", "--batch", "2", "--width", "16", "--multipliers", "1", "--attention", "0",
             "--samples", "1", "--sampler-steps", "1", "--precision", "float32"]  # fmt: skip
    assert run("train", *quick, *more, "--out", folder / "run") == 0
    return str(folder / "run" / "model.safetensors")


def compared(model, *more):
    """What the gallery of a model compares its samples with."""
    options = parser("gallery").parse_args(["gallery", model, *more])
    denoiser, card = models.open_model(model)
    return real_pictures(card, options, denoiser)


def test_samples_are_compared_with_the_pictures_that_were_trained_on(tmp_path):
    held_out = ["--without", "red star", "--without", "blue circle"]
    real = compared(trained_on(tmp_path, "--data", "shapes", "--count", "40", "--seed", "1", *held_out))
    expected = load("shapes", size=16, count=40, seed=1, without=[("red", "star"), ("blue", "circle")])
    assert torch.equal(real.x, expected.x)
    assert (real.called, real.text) == ("training pictures", "40 of shapes")


def test_a_part_of_a_set_that_has_an_end_is_known_again(tmp_path):
    real = compared(trained_on(tmp_path, "--data", "digits", "--count", "30", "--seed", "2"))
    assert torch.equal(real.x, load("digits", size=16, count=30, seed=2).x)
    assert (real.called, real.text) == ("training pictures", "30 of digits")


def test_pictures_that_never_repeat_are_compared_with_others_of_their_kind(tmp_path):
    """And with none that was held out."""
    real = compared(trained_on(tmp_path, "--data", "shapes", "--fresh", "--without", "red star"))
    assert torch.equal(real.x, load("shapes", size=16, without=[("red", "star")]).x)
    assert (real.called, real.text) == ("pictures of the same data set", "10000 of shapes")


def test_a_folder_that_has_changed_is_not_what_was_trained_on(tmp_path):
    """Another folder is called by its name; the same pictures in another place are known again."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        for i in range(3):
            Image.new("RGB", (8, 8), (80 * i, 0, 0)).save(folder / f"{i}.png")
    model = trained_on(tmp_path, "--data", f"folder:{first}")
    elsewhere = ["--data", f"folder:{second}"]
    assert compared(model).called == compared(model, *elsewhere).called == "training pictures"
    for folder in (first, second):
        Image.new("RGB", (8, 8), "white").save(folder / "new.png")
    assert (compared(model).called, compared(model).text) == ("pictures of the same data set", "4 of folder first")
    assert compared(model, *elsewhere).called == "pictures of folder second"


def test_a_card_without_a_digest_is_believed_on_its_own_data_alone(tmp_path):
    model = str(tmp_path / "model.safetensors")
    net = UNet(width=16, multipliers=(1, 1), attention=(1,))
    save(model, {"denoiser": Denoiser(net, Cosine())}, card=ModelCard(data={"name": "digits", "shape": [1, 8, 8]}))
    assert (compared(model).called, compared(model).text) == ("training pictures", "1442 of digits")
    assert compared(model, "--data", "mnist").called == "pictures of mnist"
