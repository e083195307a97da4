"""The questions of notebook 13, your own pictures."""

from .question import Question

QUESTIONS = (
    Question(
        "13.1",
        "Eight unusual files lie in the folder: transparent, palette, 16 bit, grey, CMYK, a moving GIF, a photograph "
        "that the camera turned, and a wide one. `Image.open(file).convert('RGB')` is how most scripts read them. Of "
        "how many does it give the wrong pixels?",
        answer=3,
        because="The transparent one comes out on black, the one of 16 bits white, and the turned one on its side.",
    ),
    Question(
        "13.2",
        "Somebody forgets to go from $[0,1]$ to $[-1,1]$, and trains as before. The network answers with the clean "
        "picture. How is its loss, compared with the right training?",
        choices=("larger", "about the same", "smaller"),
        answer="smaller",
        because="In half of the range every difference is half as large, so its square is a quarter: the number looks "
        "better.",
    ),
    Question(
        "13.3",
        "Every tenth emoji was held out for testing. Measure for each of these the distance to the nearest training "
        "emoji, and compare with what is usual among the training emoji. Are the held-out ones farther away?",
        choices=("much farther", "about as far", "much nearer"),
        answer="about as far",
        because="They were chosen without regard to content, so a held-out clock face has its near twins in the "
        "training set, just as a training clock face has.",
    ),
    Question(
        "13.4",
        "A picture is hidden by more and more noise. Take the same pictures with twice as many pixels a side. At the "
        "noise level where the small ones could just be told apart, can the large ones be told apart, too?",
        choices=("yes, more easily", "as hard as before", "no, they cannot"),
        answer="yes, more easily",
        because="Four times as many pixels show the same thing, and independent noise averages out over them.",
    ),
    Question(
        "13.5",
        "A training is resumed, but of the three things that have a memory one was forgotten: network, optimizer, or "
        "average. Which one would you notice at once in the loss curve?",
        choices=("the network", "the optimizer", "the average", "none of them"),
        answer="the network",
        because="The loss is computed from the network alone. What Adam remembers is soon collected again, and the "
        "average is only sampled from.",
    ),
    Question(
        "13.6",
        "One network is trained for 600 steps on 8 pictures, another one for 400 steps on all that the folder has. How "
        "many samples of the first are copies of one of its 8 pictures?",
        choices=("hardly any", "about a tenth", "nearly all"),
        answer="nearly all",
        because="It sees each picture 1200 times, and it has some 50 000 weights for each.",
    ),
)
