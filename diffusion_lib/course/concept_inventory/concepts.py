"""The questions of the concept inventory: sixteen concepts, each asked in two parallel forms.

A concept has one right idea and three mistakes, which are those that the checks of the exercises name and those that
tutorials make. Its two forms, A and B, ask for the same idea with other numbers or in another setting, and offer the
same mistakes: the n-th wrong choice of either form comes from the n-th mistake. No answer is shown to those who are
asked, before or after: else the second form would measure memory.
"""

from dataclasses import dataclass

FORMS = ("A", "B")


@dataclass(frozen=True)
class Form:
    """A question of one form: its text, the right choice, a wrong one for each mistake, and the right one's place."""

    text: str
    right: str
    wrong: tuple[str, str, str]
    place: int

    @property
    def choices(self) -> tuple[str, ...]:
        """The four choices in the order in which they are shown."""
        return (*self.wrong[: self.place], self.right, *self.wrong[self.place :])


@dataclass(frozen=True)
class Concept:
    """One idea: its name, the notebook that teaches it, three mistakes about it, and the question in both forms.

    exercises: those whose checks name these mistakes, or the nearest to them.
    """

    name: str
    notebook: int
    exercises: tuple[str, ...]
    mistakes: tuple[str, str, str]
    a: Form
    b: Form

    def form(self, name: str) -> Form:
        """The question of form "A" or "B"."""
        return self.a if name == "A" else self.b


CONCEPTS = (
    Concept(
        "deviation",
        2,
        ("2.1", "0.1"),
        (
            "multiplies the noise by its variance",
            "squares the variance",
            "takes 1 minus the variance as the factor",
        ),
        Form(
            "`noise` is a draw from $N(0, 1)$. A pixel is to receive Gaussian noise of variance 0.04. What is added?",
            "`0.2 * noise`",
            ("`0.04 * noise`", "`0.0016 * noise`", "`0.96 * noise`"),
            1,
        ),
        Form(
            "A recording is to receive Gaussian noise of variance 0.25, from draws `noise` of $N(0, 1)$. What is added "
            "to each of its numbers?",
            "`0.5 * noise`",
            ("`0.25 * noise`", "`0.0625 * noise`", "`0.75 * noise`"),
            2,
        ),
    ),
    Concept(
        "shares",
        1,
        ("1.1",),
        (
            "adds shares up instead of multiplying what is left",
            "takes the share of a single step",
            "multiplies what each step replaces",
        ),
        Form(
            "Each step replaces 10 % of a picture's variance, as it then is, by noise. After 5 steps, which share of "
            "the variance is still that of the picture at the start?",
            "59 %",
            ("50 %", "90 %", "0.001 %"),
            0,
        ),
        Form(
            "Each step replaces 20 % of a sound's variance, as it then is, by noise. After 4 steps, which share of the "
            "variance is still that of the sound at the start?",
            "41 %",
            ("20 %", "80 %", "0.16 %"),
            3,
        ),
    ),
    Concept(
        "terminal SNR",
        1,
        ("1.4",),
        (
            "thinks that a perfect sampler forgets where it started",
            "thinks that the samples keep the start's mean",
            "takes the shift in the wrong direction",
        ),
        Form(
            "Data with mean 5 and variance 1 are noised until 60 % of the variance is still the data's. A perfect "
            "sampler, which draws no random numbers, walks back, but starts from $N(0, 1)$. What is its samples' mean?",
            "between 0 and 5",
            ("5", "0", "above 5"),
            2,
        ),
        Form(
            "Dark pages, with a mean of −0.8 where black is −1 and white is 1, are noised until 30 % of the variance "
            "is still the pages'. A perfect sampler walks back, but starts at mean 0. How do its pages look?",
            "brighter than real pages, and still dark",
            ("as dark as real pages", "a medium grey on average, as the noise was", "darker than real pages"),
            1,
        ),
    ),
    Concept(
        "fewer steps",
        1,
        ("1.4",),
        (
            "looks at the last dose only",
            "reckons the lost share in proportion to the number of steps",
            "thinks that fewer steps destroy more",
        ),
        Form(
            "The dose of noise rises evenly from 0.0001 to 0.02 over 1000 steps, after which nothing of a picture is "
            "left. You take 50 steps with the same two ends. Which share of the variance is the picture's at the end?",
            "about 60 %",
            ("0 %: the last dose is the same", "95 %: it is a twentieth of the steps", "0 %, and sooner than before"),
            3,
        ),
        Form(
            "The dose of noise rises evenly from 0.0001 to 0.02 over 1000 steps, after which nothing of a melody is "
            "left. You take 100 steps with the same two ends. Which share of the variance is the melody's at the end?",
            "about 36 %",
            ("0 %: it ends on the same dose", "90 %: it is a tenth of the steps", "0 %, and earlier than before"),
            0,
        ),
    ),
    Concept(
        "independent noises",
        2,
        ("2.3",),
        (
            "adds the variances of one and the same noise",
            "counts a noise that is used often once",
            "adds amplitudes and forgets to square the sum",
        ),
        Form(
            "A walk takes 100 steps, each with fresh noise of variance 0.01, which makes variance 1 in all. Somebody "
            "draws one such noise and adds it 100 times. What is the variance now?",
            "100",
            ("1", "0.01", "10"),
            1,
        ),
        Form(
            "Twenty-five machines each add an independent error of variance 0.04, which makes variance 1 in all. One "
            "day all make the very same error. What is the variance now?",
            "25",
            ("1", "0.04", "5"),
            3,
        ),
    ),
    Concept(
        "step back",
        2,
        ("2.4",),
        (
            "takes the variance of the step forward",
            "thinks that a step back is less certain than a step forward",
            "thinks that who knows both ends knows all between",
        ),
        Form(
            "Noise of variance 0.02 was added in the last of many noisy steps. You know the clean picture and the "
            "picture after that step. What is the variance of your guess of the picture just before it?",
            "less than 0.02",
            ("0.02", "more than 0.02", "0"),
            0,
        ),
        Form(
            "Somebody walks at random: each minute a Gaussian step of variance 1 m². You know where they were at 9:00 "
            "and where they are at 10:00. What is the variance of your guess of where they were at 9:59?",
            "less than 1 m²",
            ("1 m²", "more than 1 m²", "0: both ends are known"),
            2,
        ),
    ),
    Concept(
        "KL divergence",
        3,
        ("3.1",),
        (
            "takes the KL divergence for symmetric",
            "thinks that it can be negative",
            "compares the means only",
        ),
        Form(
            "$q = N(0, 1)$ and $p = N(0, 4)$, where 4 is a variance. What is true of $\\mathrm{KL}(q\\,\\|\\,p)$ and "
            "$\\mathrm{KL}(p\\,\\|\\,q)$?",
            "both are positive, and they differ",
            ("they are equal", "one is positive, the other negative", "both are 0, because the means agree"),
            2,
        ),
        Form(
            "Two forecasts of a temperature are Gaussians of mean 15°, one with a standard deviation of 1°, the other "
            "of 3°. What is true of their KL divergence in the two directions?",
            "it is positive in both, and not the same",
            ("it is the same in both", "it changes its sign", "it is 0 in both, as the mean is the same"),
            1,
        ),
    ),
    Concept(
        "flat loss",
        3,
        ("3.3",),
        (
            "expects a good denoiser's loss to come near 0",
            "takes a flat loss for the end of learning",
            "blames the learning rate",
        ),
        Form(
            "A network learns to guess the noise in noised pictures. Its loss fell at first and has stood at 0.2 for "
            "hours, and yet its drawings still get better. How can that be?",
            "most of the 0.2 is an error that nobody can avoid",
            (
                "it cannot: a good denoiser's loss comes near 0",
                "by chance: with a flat loss nothing more is learned",
                "the learning rate is too large, so that it jumps about",
            ),
            3,
        ),
        Form(
            "A network learns to clean noisy recordings, all levels of noise mixed. The loss was 0.9 at first and has "
            "lain at 0.3 between step 2000 and step 20 000. What follows?",
            "little: the part that can still be learned may be a small part of 0.3",
            (
                "the training has failed, as the loss should be near 0 by now",
                "the network has stopped learning, and its sounds will not change",
                "the learning rate was too large for the whole time",
            ),
            0,
        ),
    ),
    Concept(
        "best guess",
        4,
        ("4.1", "4.2"),
        (
            "gives a sample where the mean is best",
            "returns what it is shown",
            "takes the datum that is nearest to pure noise",
        ),
        Form(
            "The data are two pictures, all black and all white, equally often. A denoiser is trained with the mean "
            "squared error and is shown pure noise. What is its best guess?",
            "an even grey",
            (
                "black or white, each in half of the cases",
                "the noise itself",
                "whichever of the two is nearer to the noise",
            ),
            0,
        ),
        Form(
            "The data are the numbers −3 and 1, equally often. A denoiser is trained with the mean squared error and "
            "is shown pure noise, say 0.7. What is its best guess?",
            "−1",
            ("−3 or 1, each in half of the cases", "0.7", "1, which is nearer to 0.7"),
            3,
        ),
    ),
    Concept(
        "memorising",
        4,
        ("4.2",),
        (
            "expects new data from the perfect answer to a finite set",
            "expects the average",
            "expects nothing sensible",
        ),
        Form(
            "The best possible denoiser for exactly 3000 given digits, at every level of noise, is used to draw. What "
            "do its walks from pure noise end at?",
            "at one of the 3000, exactly",
            (
                "at new digits, better than any network's",
                "at the average digit, a blur",
                "at something that nobody can read",
            ),
            1,
        ),
        Form(
            "Somebody computes the best possible denoiser for exactly their 500 melodies, with no error to speak of, "
            "and lets it compose from pure noise. What comes out?",
            "one of the 500 melodies, each time",
            ("new melodies in the same style", "a mixture of all melodies at once", "noise"),
            2,
        ),
    ),
    Concept(
        "noise and picture",
        4,
        ("4.3", "0.2"),
        (
            "does not undo the picture's factor",
            "subtracts the noise without its factor",
            "subtracts the noise without its factor, then divides",
        ),
        Form(
            "A noised pixel is $x_t = 0.6\\,x_0 + 0.8\\,\\varepsilon$. You see $x_t = 1.4$, and a network says that "
            "$\\varepsilon = 1$. Which $x_0$ does that mean?",
            "1",
            ("0.6", "0.4", "0.67"),
            2,
        ),
        Form(
            "A noised sound is $x_t = 0.8\\,x_0 + 0.6\\,\\varepsilon$. You hear $x_t = 1.1$, and a network says that "
            "$\\varepsilon = 0.5$. Which $x_0$ does that mean?",
            "1",
            ("0.8", "0.6", "0.75"),
            0,
        ),
    ),
    Concept(
        "copying",
        5,
        ("5.1",),
        (
            "takes a low loss for knowledge of pictures",
            "thinks that it has learned to remove noise",
            "thinks that it has the training data by heart",
        ),
        Form(
            "The loop says `loss = mse(model(x), x)`, where `x` are clean pictures. The loss falls to 0.0003, also "
            "on new pictures. What has the network learned?",
            "to return what it is given",
            ("what pictures look like, so it can draw them", "to remove noise", "the training pictures by heart"),
            3,
        ),
        Form(
            "Loop 1 gives noised pictures to a network and compares its output with the clean ones. Loop 2 gives clean "
            "pictures to it and compares with the same clean ones. Loop 2's loss is 100 times smaller. Why?",
            "its task is easier: the output only has to repeat the input",
            (
                "its network has understood pictures better, and will draw better ones",
                "its network removes noise better",
                "its network has memorised the pictures, the other has not",
            ),
            1,
        ),
    ),
    Concept(
        "moving average",
        5,
        ("5.3",),
        (
            "takes what is kept for what is replaced",
            "guesses the middle",
            "thinks that an average forgets its start at once",
        ),
        Form(
            "A moving average of a network's weights starts at the untrained weights. Each update keeps 0.999 of it "
            "and takes 0.001 of the new weights. After 100 updates, how much of it is still the untrained weights?",
            "about 90 %",
            ("about 0.1 %", "about half", "nothing: it averages what the training gave"),
            2,
        ),
        Form(
            "`average = 0.99 * average + 0.01 * weights` is run after each training step, and `average` began as "
            "the random first weights. After 5 steps, how much of it is still the first weights?",
            "about 95 %",
            ("about 1 %", "about half", "nothing: the trained weights have replaced them"),
            1,
        ),
    ),
    Concept(
        "last step",
        6,
        ("6.1", "2.4"),
        (
            "blames the network's training",
            "thinks that the noises of all steps remain",
            "thinks that the noise of the start remains",
        ),
        Form(
            "A sampler draws a little fresh noise in each step. Its pictures are right in every shape, but finely "
            "grainy all over. What is the first thing to suspect?",
            "that noise is drawn in the last step, too",
            ("too short a training", "too many steps, whose noises add up", "noise of the start that is still in it"),
            3,
        ),
        Form(
            "A data set holds one single number, 2, many times over. The right sampler, with the exact denoiser, draws "
            "fresh noise in its steps. Where do 1000 of its samples end?",
            "all at 2, exactly",
            (
                "about 2, and the nearer the longer the network was trained",
                "about 2, spread by the noises of all steps",
                "spread between 2 and the numbers that they started from",
            ),
            0,
        ),
    ),
    Concept(
        "walk",
        6,
        ("6.5", "0.3"),
        (
            "takes the first guess for the result",
            "goes on with the guess itself, without noise",
            "waits for a lucky noise",
        ),
        Form(
            "Shown pure noise, a well-trained denoiser of pictures answers with a grey blur. What does a sampler do "
            "with this first guess?",
            "it moves a little towards it, keeps most of the noise, and asks again",
            (
                "it returns it: to guess the picture is what it was trained for",
                "it shows the blur to the denoiser as the next input",
                "it drops it and tries other noises until a guess is sharp",
            ),
            1,
        ),
        Form(
            "Shown pure noise, a well-trained denoiser of speech answers with a faint hum, a mixture of all words. How "
            "does one get a spoken word from it?",
            "by mixing a little of the hum with most of the noise, and asking again, many times",
            (
                "not at all: the hum is its result, so it was trained badly",
                "by feeding the hum to it again and again",
                "by drawing noises until one of them gives a word at once",
            ),
            2,
        ),
    ),
    Concept(
        "average of noises",
        6,
        ("6.4",),
        (
            "thinks that an average keeps the variance",
            "adds the variances and forgets the factors",
            "squares a factor twice",
        ),
        Form(
            "$a$ and $b$ are independent noises of variance 1. What is the variance of $\\frac12 a + \\frac12 b$?",
            "$\\frac12$",
            ("1", "2", "$\\frac18$"),
            0,
        ),
        Form(
            "Four people measure the same length with independent errors of variance 1. What is the variance of the "
            "error of their mean?",
            "$\\frac14$",
            ("1", "4", "$\\frac1{64}$"),
            3,
        ),
    ),
)
