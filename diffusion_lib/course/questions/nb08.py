"""The questions of notebook 08, guidance."""

from .question import Question

QUESTIONS = (
    Question(
        "8.1",
        "A hundred digits are drawn, ten of each kind, each with its label. How many of them does a classifier read as "
        "the digit that was asked for?",
        choices=("about 60", "about 80", "about 95", "all 100"),
        answer="about 95",
        because="The network knows its classes well, but every now and then a drawn digit lies between two of them.",
    ),
    Question(
        "8.2",
        "Train one network with labels that are *never* hidden. Then ask it with the null label, which it has never "
        "seen. How good is its guess there, measured against the exact one?",
        choices=(
            "about as good as that of a network that saw the null label",
            "more than ten times worse in squared error",
            "exactly the mean of its four answers with labels",
        ),
        answer="more than ten times worse in squared error",
        because="Nothing in the training ever touched the vector that stands for the null label: it is a random one.",
    ),
    Question(
        "8.3",
        "The same starting noises, the same labels, and the scale goes from 1 to 8. What becomes of the digits?",
        choices=(
            "they turn grey and blurred",
            "they become bold and simple, and those of one class alike",
            "they become sharper, and as varied as before",
        ),
        answer="they become bold and simple, and those of one class alike",
        because="The scale exaggerates what sets a class apart from the others, and nothing else about a picture.",
    ),
    Question(
        "8.4",
        "Two drawn digits of one class are, at scale 1, about as different as two real ones. By how many percent does "
        "this difference fall from scale 1 to scale 8?",
        answer=33.0,
        within=8.0,
        unit="%",
        because="A tenth of the variety is gone at scale 1.5, where all digits are read right already; most of the "
        "loss comes after that.",
    ),
    Question(
        "8.5",
        "On the line, the right peak lies at 1.20. The exact field is guided to it with scale 4. Where is the mean of "
        "the samples?",
        choices=("at 1.20, like the tilted density", "at about 1.4", "at about 1.6", "at 4.8, four times as far"),
        answer="at about 1.6",
        because="Where the two peaks still overlap, at large $t$, the guided walk is pushed away from the other peak, "
        "and nothing brings it back later.",
    ),
    Question(
        "8.6",
        "The first of two numbers with the correlation $\\varrho=0.8$ is known to be 1.5; then the second has the mean "
        "1.2. What mean does filling in give, with very many steps?",
        choices=("1.2, as it should be", "less than 1.2", "more than 1.2"),
        answer="less than 1.2",
        because="Early in the walk the known number is drowned in its noise, and what was settled then stays settled.",
    ),
    Question(
        "8.7",
        "At $t=0.3$ there is little noise, at $t=0.9$ little picture. From which of these starting times on do more "
        "than half of the digits turn into the one asked for?",
        choices=("$t=0.3$", "$t=0.5$", "$t=0.7$", "$t=0.9$"),
        answer="$t=0.7$",
        because="The class is one of the coarse things of a picture, and those are covered by noise last.",
    ),
)
