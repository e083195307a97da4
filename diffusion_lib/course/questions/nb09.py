"""The questions of notebook 09, a miniature Stable Diffusion."""

from .question import Question

QUESTIONS = (
    Question(
        "9.2",
        "A picture of 3072 numbers is pressed into 256, and made a picture again. What is lost?",
        choices=(
            "colours: they come back washed out",
            "edges: they come back blurred",
            "hardly anything that one sees at this size",
            "the shape: circles and stars come back alike",
        ),
        answer="hardly anything that one sees at this size",
        because="Pictures of one shape on a plain ground have few things to say: 256 numbers are more than enough.",
    ),
    Question(
        "9.2b",
        "Take the latents of two drawings, and decode the mean of the two. What do you see?",
        choices=(
            "one shape, half-way between the two",
            "both shapes, half transparent, as in the mean of the two pictures",
            "something that is no drawing",
        ),
        answer="something that is no drawing",
        because="The encoder has never put a picture there, so nothing taught the decoder what it should mean.",
    ),
    Question(
        "9.2c",
        "The same U-Net on 8 × 8 latents, and on 32 × 32 pixels. How many times as many multiplications does a call on "
        "the pixels take?",
        choices=("about 4 times", "more than 20 times", "about 200 times"),
        answer="more than 20 times",
        because="There are 16 times as many places, and where each looks at all others the work grows with the square.",
    ),
    Question(
        "9.4",
        "The caption is *a small red star on a dark background*. At which word do the places of the star look most, in "
        "the network's last layer?",
        choices=("a", "small", "red", "star", "dark"),
        answer="red",
        because="Each of these places must know its colour; the outline is a matter of the whole picture.",
    ),
    Question(
        "9.4b",
        "Of *a small blue star on a dark background* the word *dark* is replaced by filling. What goes wrong most?",
        choices=("the background", "the shape", "the colour", "nothing"),
        answer="the shape",
        because="A caption with a gap was never seen, and the shape is the most fragile of the four things.",
    ),
    Question(
        "9.5",
        "On the walk from $t=1$ to 0, the guess of the latent can be decoded at every stop. When does it first show "
        "the right colour, and when the right shape?",
        choices=(
            "both only near the end",
            "the colour in the first steps, the shape later",
            "the shape in the first steps, the colour later",
            "both from the very first step on",
        ),
        answer="the colour in the first steps, the shape later",
        because="What is the same over many pixels is heard through much noise; outlines are fine details.",
    ),
    Question(
        "9.6",
        "In training there were red things and stars, but never a red star. Of a hundred pictures asked for with the "
        "combinations held out, how many have all four things right?",
        choices=("about 5", "about 40", "about 70", "more than 90"),
        answer="more than 90",
        because="The words arrive one by one, and each learned its own part from all the other combinations.",
    ),
    Question(
        "9.6b",
        "The words of each caption are put in reverse order. Of the four things asked for, what goes wrong?",
        choices=("nothing", "only the background", "colour and background are exchanged", "nearly everything"),
        answer="nothing",
        because="In these captions each word says what it says wherever it stands, so the order was never worth "
        "learning.",
    ),
)
