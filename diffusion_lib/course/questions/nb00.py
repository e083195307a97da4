"""The questions of notebook 00, start here."""

from .question import Question

QUESTIONS = (
    Question(
        "0.3",
        "A digit is to be drawn in 30 steps, from pure noise at $t=1$ to a picture at $t=0$. Half-way, at $t=0.5$, "
        "a classifier looks at 100 such pictures as they then are. In how many can it read the digit? By chance it "
        "would be 10.",
        choices=("about 10", "about 30", "about 70", "nearly all"),
        answer="about 70",
        because="Half of each pixel is noise, but it is another noise in each pixel, while a stroke runs through many.",
    ),
    Question(
        "0.4",
        "Real digits, noised to $t=0.7$: a classifier can read about 30 of 100. Now let the network guess the "
        "picture, *once*, without telling it which digit it is. How many of its guesses can be read?",
        choices=("fewer: a guess is a blur", "about as many", "about 80", "all of them"),
        answer="about 80",
        because="The network knows what digits look like and how noise looks, and the classifier only the former.",
    ),
    Question(
        "0.4b",
        "Three flaws: *one step* takes the very first guess as the picture; *fresh noise* mixes in new noise at "
        "each step instead of what is in $x$; *no clock* tells the network $t=1$ at all times. Which of them lowers "
        "the share that is read right most?",
        choices=("one step", "fresh noise", "no clock", "none of them lowers it"),
        answer="none of them lowers it",
        because="Each draws something legible: the average digit, or one that is plainer than handwriting is.",
    ),
    Question(
        "0.5",
        "The network's guess is compared with the true picture, and the mean squared error plotted. How will that "
        "curve look while the drawings become good?",
        choices=(
            "it falls to nearly 0",
            "it falls fast, then lies almost flat, far above 0",
            "it falls evenly all the time",
            "it rises at first",
        ),
        answer="it falls fast, then lies almost flat, far above 0",
        because="In much noise nobody can know the picture, so that most of the error can never go away.",
    ),
    Question(
        "0.6",
        "The best possible answer for exactly these 9000 training digits, at all times, with no error to speak of: "
        "what does it draw?",
        choices=(
            "new digits, better than the network's",
            "training digits, copied",
            "blurred digits",
            "nothing legible",
        ),
        answer="training digits, copied",
        because="The last guesses are an average of one picture only, the training digit that is nearest.",
    ),
)
