"""The questions of notebook 10, flow matching."""

from .question import Question

QUESTIONS = (
    Question(
        "10.1",
        "On a line, two ways cross at the same place and time, equally often taken: one has the velocity $2$, the "
        "other $-1$. A network can give only one answer there. Which one has the smallest mean squared error?",
        answer=0.5,
        within=0.05,
        because="The number with the smallest mean squared error is the mean, (2 - 1) / 2.",
    ),
    Question(
        "10.2",
        "The lines are straight, and each has one velocity from beginning to end. How small can a large network, "
        "trained for as long as you like, make its mean squared error, on the four blobs, which taken together have "
        "variance 1 in each coordinate?",
        choices=("0, but for rounding", "about 0.1", "no smaller than about 1.3"),
        answer="no smaller than about 1.3",
        because="Where lines cross, one answer has to serve all of them; the spread of their velocities remains.",
    ),
    Question(
        "10.3",
        "One single step of your walk, from $t=1$ straight to $t=0$, with the exact mean velocity. Where do 600 "
        "points land?",
        choices=("on the four blobs", "all on one point", "spread like the noise", "on the nearest blob each"),
        answer="all on one point",
        because="At $t=1$ the noise says nothing about the data, so every step leads to the mean of all the data.",
    ),
    Question(
        "10.3b",
        "A slip: the network was trained right, but in the walk it is told $1-t$ in the place of $t$. Who notices?",
        choices=(
            "an error message",
            "the training loss",
            "only a distance between samples and data",
        ),
        answer="only a distance between samples and data",
        because="Training is over and was right, and every number between 0 and 1 is a time like any other.",
    ),
    Question(
        "10.4",
        "The training lines were straight and crossed. What do the paths look like that follow the learned velocity, "
        "in very small steps?",
        choices=(
            "straight, and they cross",
            "straight, and they do not cross",
            "bent, and they do not cross",
            "bent, and they cross",
        ),
        answer="bent, and they do not cross",
        because="At one place and time there is one arrow, so paths cannot cross, and to avoid it they have to bend.",
    ),
    Question(
        "10.5",
        "Now train on straight lines between each noise and *its own* end of a path. Then take one step from noise to "
        "data. Before, its distance to the data was about 0.95, and 32 steps had 0.06. What has one step now?",
        choices=("about 0.95, as before", "about 0.4", "about 0.06"),
        answer="about 0.06",
        because="The new lines hardly ever cross, so their velocity can be learned, and it is constant along each.",
    ),
    Question(
        "10.5b",
        "And 32 steps of the straightened flow, compared with 32 of the first, where two sets of true points are "
        "0.04 apart?",
        choices=("clearly nearer to the data", "no difference that could be seen", "clearly farther off"),
        answer="no difference that could be seen",
        because="It learned from the ends of the first flow's paths: it has the same errors, and no new information.",
    ),
    Question(
        "10.6",
        "One step from noise to a handwritten digit, asked for by its number. How many of the results does a "
        "classifier read as the digit asked for?",
        choices=("about one in ten", "about half", "nearly all"),
        answer="nearly all",
        because="One step gives the mean of all sevens, and that blur is still a seven.",
    ),
    Question(
        "10.7",
        "Draw the training times so that the middle comes more often than the ends. Compared with even times, how "
        "does the error of the velocity change?",
        choices=(
            "it is smaller at all times",
            "it is larger at the ends",
            "it is the same at all times",
        ),
        answer="it is larger at the ends",
        because="Near 0 and 1 there are hardly any examples left to learn from.",
    ),
)
