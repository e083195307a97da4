"""The questions of notebook 04, the denoiser."""

from .question import Question

QUESTIONS = (
    Question(
        "4.1",
        "You see $x_t = 0.2$ at $t = 0.5$, where a number from the left peak would lie around −0.56 and one from the "
        "right peak around 0.84. Which guess of $x_0$ has the smallest mean squared error?",
        choices=(
            "−0.8, the peak that holds more of the data",
            "1.2, the peak whose noised place is nearer",
            "a number between the peaks, where hardly any data lie",
        ),
        answer="a number between the peaks, where hardly any data lie",
        because="The squared error is smallest at the mean of all that $x_0$ may be, and it may be in either peak.",
    ),
    Question(
        "4.2",
        "A digit that is not among the 3000 of the data set is noised to $t = 0.5$. How many of the 3000 have a say in "
        "what it was?",
        choices=("one or two", "about 30", "about 300", "all 3000"),
        answer="one or two",
        because="A squared distance is a sum over 784 pixels, so the nearest picture is ahead of all others by far.",
    ),
    Question(
        "4.2b",
        "200 walks from pure noise with the best possible denoiser of 3000 digits: how many of them end exactly at one "
        "of the 3000?",
        choices=("none: they are new digits", "a few by chance", "about half", "all of them"),
        answer="all of them",
        because="Near the end one picture has all the weight, so the denoiser's answer is that very picture.",
    ),
    Question(
        "4.3",
        "The walk starts at $t = 1$, where $\\alpha = 0$. A network is right about its target there. From which target "
        "can you *not* tell what it thinks of $x_0$?",
        choices=("`eps`", "`v`", "`velocity`", "from each you can"),
        answer="`eps`",
        because="With $\\alpha = 0$, $x_t$ is $\\varepsilon$ itself: to be told $\\varepsilon$ adds nothing.",
    ),
    Question(
        "4.5",
        "Where is the trained network farthest from the best answer, compared with the error that nobody can remove?",
        choices=("near $t = 0$", "in the middle", "near $t = 1$"),
        answer="near $t = 0$",
        because="There the error that nobody can remove is tiny, so the network's own error shows.",
    ),
    Question(
        "4.6",
        "Six convolutions and two linear layers: which share of the article's parameters is in the two linear layers?",
        choices=("about a quarter", "about three quarters", "more than 99 %"),
        answer="more than 99 %",
        because="Each of them connects 262 144 numbers with 1024 others, and a convolution has 9 weights for each pair "
        "of channels.",
    ),
    Question(
        "4.6b",
        "A picture has 3072 numbers. The best linear copier passes it through 64. Which share of the variance of pure "
        "noise comes out at the other end?",
        answer=2,
        within=1,
        unit="%",
        because="Noise varies equally in all 3072 directions, and 64 of them have room: 64/3072 is 2.1 %.",
    ),
    Question(
        "4.7",
        "After change 2 the network has seen pure noise in training, with digits as the target. Compared with change "
        "1, what becomes of its answers to pure noise?",
        choices=(
            "sharper and more varied, with a smaller error",
            "dimmer and more alike, with a smaller error",
            "dimmer and more alike, with a larger error",
        ),
        answer="dimmer and more alike, with a smaller error",
        because="The smallest error at $t = 1$ is that of the mean digit, a grey blur, so less error means more blur.",
    ),
    Question(
        "4.7b",
        "The first guess of the walk is nearly the same grey blur for every noise. DDIM draws no random numbers. Where "
        "can different digits come from?",
        choices=(
            "from the noise itself, most of which each small step keeps",
            "from errors of the network",
            "they cannot: all walks end alike",
        ),
        answer="from the noise itself, most of which each small step keeps",
        because="Small steps keep most of $x_t$, and small differences in it make larger ones in the next guess.",
    ),
    Question(
        "4.8",
        "Where does the U-Net's error fall most, compared with the article's network that is told the time?",
        choices=("at $t = 0.1$, where details are in question", "at $t = 0.7$, where shapes are", "equally everywhere"),
        answer="at $t = 0.1$, where details are in question",
        because="Fine detail goes through the shortcuts, while in the article's network all has to pass the code.",
    ),
)
