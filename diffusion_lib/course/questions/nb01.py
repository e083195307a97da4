"""The questions of notebook 01, the beta schedule."""

from .question import Question

QUESTIONS = (
    Question(
        "1.1",
        "Your data have variance 1. You take all 1000 naive steps of the linear table, in which $\\beta$ rises from "
        "0.0001 to 0.02. What is the variance at the end?",
        choices=("about 2", "about 11", "about 100", "about 1000"),
        answer="about 11",
        because="The variances of independent noises add up, and the thousand betas add up to 10.05.",
    ),
    Question(
        "1.1b",
        "Somebody forgets one root and writes `x = (1 - beta) * x + beta.sqrt() * noise`. The data have variance 1. "
        "What is the variance after the 1000 steps?",
        choices=("still about 1", "about one half", "nearly 0", "far above 1"),
        answer="about one half",
        because="Each step now takes away twice as much variance as it should, so that the noise can fill up only half "
        "of it.",
    ),
    Question(
        "1.2",
        "At which of the 1000 steps of the linear table has half of the variance become noise? The early betas are "
        "tiny: $\\beta_1$ is 200 times smaller than $\\beta_{1000}$.",
        answer=260,
        within=100,
        unit="steps",
        because="What each step keeps multiplies, so the picture fades long before the middle.",
    ),
    Question(
        "1.3",
        "Half-way in time, at $t = 0.5$ on the linear schedule: how much noise is there for each unit of picture, "
        "counted in variance?",
        choices=("about as much", "3 times as much", "12 times as much", "100 times as much"),
        answer="12 times as much",
        because="The picture's share is 7.9 % there, and 92.1 divided by 7.9 is 12.",
    ),
    Question(
        "1.4",
        "In which of the four families does half of the variance become noise *last*?",
        choices=("linear", "scaled linear", "sigmoid", "cosine"),
        answer="cosine",
        because="It gets there at $t = 0.50$; sigmoid at 0.44, scaled linear at 0.35, linear at 0.26.",
    ),
    Question(
        "1.5",
        "A linear table from 0.0001 to 0.02, but of only $T = 50$ steps. Which share of the variance is still the "
        "picture's at the end? The mean beta is 0.01.",
        choices=("below 1 %", "about 10 %", "about 30 %", "about 60 %"),
        answer="about 60 %",
        because="Fifty steps of 0.01 on average make a sum of 0.5, and $e^{-0.5}$ is 0.61.",
    ),
    Question(
        "1.6",
        "The data have mean 2 and standard deviation 0.5. A perfect sampler starts from $N(0, 1)$ on the table with "
        "$T = 50$. What is the mean of its samples? Take $\\alpha_T = 0.78$ and $w = 0.74$.",
        answer=0.95,
        within=0.1,
        because="The start is 1.55 too low, and each unit there becomes $0.5 / 0.74$ of a unit here.",
    ),
    Question(
        "1.6b",
        "Handwritten digits, white on black, and the same table with $T = 50$: compared with real digits, how are "
        "those that a perfect sampler draws from $N(0, I)$?",
        choices=("thinner", "just as thick", "thicker"),
        answer="thicker",
        because="Real noised pages are still dark on average; a page of mean 0 looks to the denoiser as if there "
        "were much white ink on it.",
    ),
    Question(
        "1.7",
        "You repair the table by multiplying all betas by $1000/T$. At which $T$ does this first fail?",
        choices=("$T = 200$", "$T = 100$", "$T = 20$", "$T = 2$"),
        answer="$T = 20$",
        because="The last beta is then $0.02 \\times 50 = 1$: that step would delete the picture.",
    ),
)
