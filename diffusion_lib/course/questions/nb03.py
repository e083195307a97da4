"""The questions of notebook 03, the KL objective."""

from .question import Question

QUESTIONS = (
    Question(
        "3.1",
        "60 % of the points lie in a narrow peak of standard deviation 0.15. At its top, a Gaussian has the "
        "density 0.4 divided by its standard deviation. What is $-\\log p(x)$ there?",
        choices=("positive", "0", "negative"),
        answer="negative",
        because="The density at the top is about 1.6, which is more than 1, so its logarithm is positive.",
    ),
    Question(
        "3.1b",
        "Guess of $x_0$: the best possible. Steps: 20. Last step: a Gaussian of variance "
        "$\\sigma_1^2/\\alpha_1^2$. What is to blame for more than half of the 0.05 nats?",
        choices=("20 steps are too few", "the guess of $x_0$", "the variance of the last step"),
        answer="the variance of the last step",
        because="It fits the mean $x_1/\\alpha_1$, but the mean used is a better one, so the Gaussian is too wide.",
    ),
    Question(
        "3.2",
        "You estimate the mean in (2) for a picture of 100 numbers, from 200 chains. How much of that mean "
        "comes from the one chain with the largest ratio?",
        choices=("about 0.5 %, its fair share", "about 5 %", "more than half"),
        answer="more than half",
        because="The ratio is a product of 100 factors, so one chain that is lucky in many outweighs all others.",
    ),
    Question(
        "3.4",
        "Each term of (8) can be measured as a log-ratio along 20 000 chains, or as a closed KL after 20 000 separate "
        "jumps, and the two means agree. For which numbers is the error of the closed KLs the smaller one?",
        choices=(
            "for nearly every term, and for the sum",
            "for nearly every term, but not for the sum",
            "for the sum, but not for the terms",
        ),
        answer="for nearly every term, but not for the sum",
        because="Along one chain the errors of neighbouring terms partly cancel; separate jumps know nothing of each "
        "other.",
    ),
    Question(
        "3.5",
        "Two guessers, the best one and one that copies its input. Which half of the objective tells them "
        "apart, at $T = 1000$?",
        choices=("the reconstruction $L_0$", "the KL of the steps", "both about equally"),
        answer="the KL of the steps",
        because="At the first of 1000 timesteps there is next to no noise, so copying is as good as any answer.",
    ),
    Question(
        "3.6",
        "With 1000 steps of the linear table and the best possible guess, the bound still lies 0.4 nats above the "
        "entropy. What brings it below 0.1?",
        choices=(
            "three times as many steps of that table",
            "as many steps, but evenly spaced in log-SNR",
            "neither: the rest is the price of a bound",
        ),
        answer="as many steps, but evenly spaced in log-SNR",
        because="The first two timesteps of the linear table are a factor of 2 apart in SNR, however many there are, "
        "so that the model's variance is too small there.",
    ),
    Question(
        "3.6b",
        "At $T = 20$ the variance $\\beta_i$ lowers the bound by 0.18 nats. What does it do to $-\\log "
        "p_\\theta(x_0)$, on average over the data?",
        choices=("it falls by 0.18, too", "it falls, but by less", "it rises"),
        answer="it rises",
        because="The bound is $-\\log p_\\theta$ plus the gap of the chains, and it was the gap that shrank.",
    ),
    Question(
        "3.7",
        "$T = 1000$, and the best guesser. Which share of the bound's weighted errors comes from the first 100 "
        "timesteps, the nearly clean ones?",
        choices=("about 10 %", "about 30 %", "about 80 %"),
        answer="about 80 %",
        because="There the SNR falls by large factors from one step to the next, and nobody can guess the noise.",
    ),
    Question(
        "3.8",
        "A network trains on the simple loss. Between training step 100 and step 2000 its excess error, the "
        "part that can be trained away, falls about tenfold. How far does the loss fall?",
        choices=("about tenfold, too", "to about a half", "by less than a fifth"),
        answer="by less than a fifth",
        because="Most of the loss is irreducible: the excess is a small number on top of a large one.",
    ),
    Question(
        "3.9",
        "A model believes that every value in [−1, 1] is equally likely, so its density is ½ for each number. "
        "There are 256 grey levels. How many bits per dimension is that?",
        answer=8,
        within=0.5,
        unit="bits",
        because="Each of the 256 levels gets the probability 1/256, and that is 8 bits.",
    ),
)
