"""The questions of notebook 02, forward noising."""

from .question import Question

QUESTIONS = (
    Question(
        "2.3",
        "After 300 of the 1000 steps of the linear schedule, what share of each pixel's variance still comes from the "
        "picture?",
        choices=("about 97 %", "about 70 %", "about 40 %", "about 5 %"),
        answer="about 40 %",
        because="Each step takes little, but beta grows, and three hundred of them multiply.",
    ),
)
