"""Captions: tokens, the text encoder, cross-attention, and what pixels look at."""

import pytest
import torch
from torch.nn import functional as F

from diffusion_lib import conditions
from diffusion_lib.data import shapes
from diffusion_lib.denoisers import Denoiser, Guided
from diffusion_lib.networks import CrossAttention, Text, Tokenizer, UNet
from diffusion_lib.schedules import Flow

WORDS = ("a", "background", "blue", "dark", "on", "red", "small", "star")
CAPTION = "a small red star on a dark background"


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def loud(net):
    """Every weight random: a new network's output is zero, which hides mistakes."""
    generator = seeded(1)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * (p[0].numel() ** -0.5 if p.ndim > 1 else 0.1))
    return net.eval()


def unet(**options):
    arguments = {"width": 16, "multipliers": (1, 2), "attention": (0, 1), "heads": 2, "text_width": 8}
    return loud(UNet(4, 8, words=WORDS, length=9, **(arguments | options)))


# --- tokens -------------------------------------------------------------------------------------


def test_tokens_number_the_words_from_one_and_fill_up_with_zero():
    tokenizer = Tokenizer(WORDS, 9)
    tokens = tokenizer([CAPTION, "Red, red star!"])
    assert tokens.tolist() == [[1, 7, 6, 8, 5, 1, 4, 2, 0], [6, 6, 8, 0, 0, 0, 0, 0, 0]]
    assert tokens.dtype == torch.int64
    assert tokenizer.captions(tokens) == (CAPTION, "red red star")
    assert tokenizer("a star").shape == (1, 9) and not tokenizer([""]).any()
    assert Tokenizer(WORDS, 2)(CAPTION).tolist() == [[1, 7]]  # what is too long is cut off


def test_a_tokenizer_of_captions_knows_their_words_and_the_longest():
    every = shapes.caption(shapes.combinations())
    tokenizer = Tokenizer.of(every)
    assert tokenizer.length == 8 and len(tokenizer.words) == 4 + 6 + 6 + 2 + 2 - 1  # "a", "on", "background" and so on
    assert tokenizer.captions(tokenizer(every)) == every
    assert Tokenizer.of(["Jack-o'-lantern", "children’s  crossing"]).words == (
        "children’s",
        "crossing",
        "jack-o'-lantern",
    )


@pytest.mark.parametrize(
    "words, length, message",
    [
        ((), 4, "0 words"),
        (("red", "red"), 4, "2 words, 1 different ones"),
        (("Red",), 4, "'Red' is no single word in lower case"),
        (("light blue",), 4, "'light blue' is no single word"),
        (("red",), 0, "length=0"),
    ],
)
def test_bad_word_lists_are_refused(words, length, message):
    with pytest.raises(ValueError, match=message):
        Tokenizer(words, length)


def test_an_unknown_word_is_named_with_the_nearest_one():
    with pytest.raises(ValueError, match="'a smal star': the word 'smal' is unknown: did you mean 'small'?"):
        Tokenizer(WORDS, 9)("a smal star")
    with pytest.raises(ValueError, match="the word 'xyzzy' is unknown: use a, background, blue"):
        Tokenizer(WORDS, 9)("xyzzy")


# --- the encoder --------------------------------------------------------------------------------


def test_a_word_is_heard_by_the_others_and_its_place_matters():
    text = loud(Text(WORDS, 9, width=8, heads=2))
    one, other, moved = text.tokens([CAPTION, CAPTION.replace("red", "blue"), "small a red star on a dark background"])
    a, b, c = text(torch.stack([one, other, moved]), 3)
    assert a.shape == (9, 8) and (a - b).abs().amax(1).min() > 1e-4  # all places, not the changed one alone
    assert (a - c).abs().amax(1).min() > 1e-4
    assert torch.equal(text(None, 1), text(torch.zeros(1, 9, dtype=torch.int64), 1))


def test_one_layer_of_the_encoder_is_its_formula():
    layer = loud(Text(WORDS, 9, width=8, heads=2)).layers[0]
    h = torch.randn(2, 5, 8, generator=seeded())
    q, k, v = layer.qkv(F.layer_norm(h, (8,), layer.norm1.weight, layer.norm1.bias)).chunk(3, dim=2)
    heads = [torch.softmax(q[..., i] @ k[..., i].mT / 2, -1) @ v[..., i] for i in (slice(0, 4), slice(4, 8))]
    middle = h + layer.out(torch.cat(heads, dim=2))
    expected = middle + layer.outer(F.gelu(layer.inner(layer.norm2(middle))))
    torch.testing.assert_close(layer(h), expected, rtol=1e-5, atol=1e-6)


# --- the U-Net ----------------------------------------------------------------------------------


def test_cross_attention_is_its_formula_added_to_its_input():
    layer = loud(CrossAttention(8, 6, 2, groups=2))
    x, context = torch.randn(2, 8, 3, 3, generator=seeded()), torch.randn(2, 5, 6, generator=seeded(1))
    pixels = layer.norm(x).flatten(2).mT
    q, (k, v) = layer.q(pixels), layer.kv(context).chunk(2, dim=2)
    shares = [torch.softmax(q[..., i] @ k[..., i].mT / 2, -1) for i in (slice(0, 4), slice(4, 8))]
    seen = torch.cat([shares[0] @ v[..., :4], shares[1] @ v[..., 4:]], dim=2)
    torch.testing.assert_close(layer(x, context), x + layer.out(seen).mT.unflatten(2, (3, 3)), rtol=1e-5, atol=1e-6)
    mean = ((shares[0] + shares[1]) / 2).mT.unflatten(2, (3, 3))
    torch.testing.assert_close(layer.shares(x, context), mean, rtol=1e-5, atol=1e-6)


def test_a_caption_reaches_the_output_by_attention_and_by_the_mean():
    """With either way cut, the other still tells; with both cut, nothing does."""
    x, t = torch.randn(2, 4, 8, 8, generator=seeded()), torch.tensor([0.3, 0.8])

    def told(net):
        a, b = (net(x, t, net.tokens([caption] * 2)) for caption in (CAPTION, CAPTION.replace("red", "blue")))
        return (a - b).abs().max().item()

    def cut(net, *names):
        with torch.no_grad():
            for name, p in net.named_parameters():
                if any(part in name for part in names):
                    p.zero_()
        return told(net)

    assert told(unet()) > 1e-4
    assert cut(unet(), "caption.") > 1e-4 and cut(unet(), "cross.out.") > 1e-4
    assert cut(unet(), "caption.", "cross.out.") == 0


def test_no_caption_is_a_caption_without_words():
    net = unet()
    x, t, tokens = torch.randn(2, 4, 8, 8, generator=seeded()), torch.rand(2), net.tokens([CAPTION] * 2)
    assert net.conditional and not net.null(tokens).any() and net.null(tokens).shape == tokens.shape
    assert torch.equal(net(x, t), net(x, t, net.null(tokens)))
    assert net.null(None) is None
    denoise = Denoiser(net, Flow(), "v")
    guided = Guided(denoise, 2.0)(x, 0.5, tokens)
    with_words, without = denoise(x, 0.5, tokens), denoise(x, 0.5)
    torch.testing.assert_close(guided.x0, 2 * with_words.x0 - without.x0, rtol=1e-4, atol=1e-4)


def test_what_pixels_look_at_sums_to_one_and_leaves_the_network_as_it_was():
    net = unet(multipliers=(1, 2), blocks=1)
    x, t, tokens = torch.randn(2, 4, 8, 8, generator=seeded()), torch.rand(2), net.tokens([CAPTION, "red star"])
    before = net(x, t, tokens)
    looks = net.looks(x, t, tokens)
    assert [tuple(look.shape) for look in looks] == [
        (2, 9, 8, 8),
        (2, 9, 4, 4),
        (2, 9, 4, 4),
        (2, 9, 4, 4),
        (2, 9, 8, 8),
    ]
    for look in looks:
        torch.testing.assert_close(look.sum(1), torch.ones_like(look[:, 0]))
        assert look.std() > 1e-4
    assert torch.equal(net(x, t, tokens), before) and len(net.looks(x, t, tokens)) == len(looks)
    assert loud(UNet(4, 8, width=16, heads=2)).looks(x, t, None) == []


@pytest.mark.parametrize(
    "cond, message",
    [
        (torch.zeros(2, dtype=torch.int64), r"cond is torch.int64 of shape \(2,\), it must be tokens.*\(2, 9\)"),
        (torch.zeros(2, 9), r"cond is torch.float32 of shape \(2, 9\)"),
        (["a red star"] * 2, r"cond is list, it must be tokens.*net.tokens\(captions\)"),
        (torch.full((2, 9), 9), "token 9 is out of range: there are 8 words"),
        (torch.full((2, 9), -1), "token -1 is out of range"),
    ],
)
def test_bad_tokens_are_named(cond, message):
    with pytest.raises(ValueError, match=message):
        unet()(torch.zeros(2, 4, 8, 8), torch.zeros(2), cond)


def test_networks_that_cannot_be_built_are_refused():
    with pytest.raises(ValueError, match="classes=3 with 8 words: a network is told labels or captions"):
        UNet(4, 8, words=WORDS, length=4, classes=3)
    with pytest.raises(ValueError, match="text_width=10 is no multiple of heads=4"):
        UNet(4, 8, words=WORDS, length=4, text_width=10)
    with pytest.raises(ValueError, match="this UNet knows no words"):
        UNet(4, 8).tokens("a star")


def test_tokens_are_a_condition_like_any_other():
    tokens = Tokenizer(WORDS, 9)([CAPTION, "red star", "blue star"])
    assert conditions.count(tokens) == 3
    mask = torch.tensor([True, False, True])
    dropped = conditions.where(mask, torch.zeros_like(tokens), tokens)
    assert not dropped[0].any() and torch.equal(dropped[1], tokens[1])
