"""The questions of notebook 06, sampling."""

from .question import Question

QUESTIONS = (
    Question(
        "6.2",
        "4000 points of pure noise are shown to the perfect denoiser of the four blobs, at $t = 1$. Where are its 4000 "
        "first guesses of the data?",
        choices=(
            "each in the blob that is nearest",
            "spread over all four blobs",
            "all close to one point, the mean of the data",
            "where the noise is",
        ),
        answer="all close to one point, the mean of the data",
        because="Noise says next to nothing about where it came from, and then the mean is the best guess.",
    ),
    Question(
        "6.2b",
        "Somebody leaves the noise out of all 1000 ancestral steps and keeps the means alone. The data's variance, "
        "summed over both directions, is 2.0. What is that of the 4000 samples?",
        choices=("still about 2", "about 1", "about one half", "0: they all end in one point"),
        answer="0: they all end in one point",
        because="Each mean goes a little towards the guess, and nothing that the steps draw keeps the points apart.",
    ),
    Question(
        "6.3",
        "With $\\eta = 1$ the new noise has the ancestral step's variance. How near is the rest of the step, its mean, "
        "to the ancestral mean?",
        choices=(
            "equal for every step, long or short",
            "equal for short steps only",
            "close, but never equal",
        ),
        answer="equal for every step, long or short",
        because="Both are the same two numbers times $\\hat x_0$ and $\\hat\\varepsilon$; in depth, part A has the "
        "lines.",
    ),
    Question(
        "6.4",
        "$a$ and $b$ are independent noises of variance 1. What is the variance half-way between them, of "
        "$\\frac12 a + \\frac12 b$?",
        answer=0.5,
        within=0.05,
        because="Variances add, and each factor counts squared: a quarter and a quarter.",
    ),
    Question(
        "6.5",
        "With 8 steps in place of 128, which of the two suffers more?",
        choices=("the ancestral sampler, which draws new noise", "DDIM, which draws none", "both alike"),
        answer="the ancestral sampler, which draws new noise",
        because="The noise that it draws has too small a variance for a long step: that of a step whose end is known.",
    ),
    Question(
        "6.5b",
        "A network that was trained for a few seconds only: with ever more steps, what does its Fréchet distance to "
        "real digits do?",
        choices=(
            "it falls until it reaches the floor of real digits",
            "it levels off high above the floor",
            "it rises",
        ),
        answer="it levels off high above the floor",
        because="More steps mend the sampler's error; what the network answers wrongly stays.",
    ),
    Question(
        "6.6",
        "A network has learned to copy pictures, and is given noise. What does it return?",
        choices=(
            "new pictures",
            "the noise again",
            "nearly the same faint blur for every noise",
            "one of its training pictures",
        ),
        answer="nearly the same faint blur for every noise",
        because="Its code has room for pictures only, and noise holds next to nothing of what it has room for.",
    ),
    Question(
        "6.8",
        "Background, colour and outline of a picture: which of them is settled first on the walk?",
        choices=("the outline", "the colour", "the background"),
        answer="the background",
        because="It is the largest thing in the picture, and what is large is seen through the most noise.",
    ),
    Question(
        "6.8b",
        "You add 0.009 to each of the 3072 numbers of a noise of mean 0, half of what chance does to their mean. Of 16 "
        "pictures drawn from such noises, how many come out on a light background?",
        choices=("about 8", "about 10", "nearly all 16"),
        answer="nearly all 16",
        because="Half a standard deviation outweighs what else in the noise leans to a side; DDIM draws no other.",
    ),
)
