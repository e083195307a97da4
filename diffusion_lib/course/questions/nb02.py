"""The questions of notebook 02, forward noising."""

from .question import Question

QUESTIONS = (
    Question(
        "2.1",
        "Somebody cuts both films into single frames and hands you one of them, that of step 300, say. Can you tell "
        "which film it comes from?",
        choices=(
            "yes, the two noises look different",
            "yes, but only if it comes from late in the film",
            "no, not better than by guessing",
        ),
        answer="no, not better than by guessing",
        because="At any one step, the noise has the same distribution in both films; what differs is how two frames "
        "belong together.",
    ),
    Question(
        "2.2",
        "At step 500, 3 % of a noised digit's variance is signal. By chance the reader would read 10 % of the digits "
        "right. How many does it read right?",
        choices=("about 10 %", "about 30 %", "about 70 %", "nearly all"),
        answer="about 70 %",
        because="The signal in each pixel is faint, but there are 784 of them, and the reader adds up all their hints.",
    ),
    Question(
        "2.3",
        "Somebody draws one noise and uses it in all 300 steps. The variance of the noise in $x_{300}$ should be 0.60. "
        "What is it?",
        choices=("0.60, too", "about 6", "about 150"),
        answer="about 150",
        because="With one noise it is the amplitudes that add up, 300 of them, and the variance is their sum squared.",
    ),
    Question(
        "2.4",
        "The two peaks move towards each other and grow wider. At which of the 1000 timesteps do they become one?",
        choices=("about 50", "about 200", "about 500", "about 900"),
        answer="about 200",
        because="By then the noise has filled the valley between the peaks, although most of the variance is still the "
        "data's.",
    ),
    Question(
        "2.5",
        "From which timestep on is the KL of the numbers' whole density to $N(0,1)$ below 0.01 nats?",
        choices=("about 250", "about 500", "about 750", "about 990"),
        answer="about 250",
        because="Once the two peaks have become one hump, little is left that differs from a Gaussian.",
    ),
    Question(
        "2.5b",
        "On the line 0.01 nats are reached at timestep 261. How large is the bound there for a handwritten digit, "
        "which is a picture of 784 numbers?",
        choices=("below 1 nat", "about 10 nats", "more than 100 nats"),
        answer="more than 100 nats",
        because="Each of the 784 numbers adds its share, and a single picture's noise lies around that picture.",
    ),
    Question(
        "2.6",
        "A step forward from $s$ to $t$ adds noise of variance $1-\\kappa$. What is the variance of the step back, "
        "$q(x_s\\mid x_t,x_0)$, for somebody who knows $x_t$ and $x_0$?",
        choices=("larger than $1-\\kappa$", "equal to it", "smaller than $1-\\kappa$"),
        answer="smaller than $1-\\kappa$",
        because="The step back is told $x_0$ as well as $x_t$, and two sources together are more certain than one.",
    ),
    Question(
        "2.7",
        "The noise was made of a two. The reverse chain starts there, but it is told that $x_0$ is a seven. Where does "
        "it end?",
        choices=("at the two", "half-way between them", "at the seven", "at noise"),
        answer="at the seven",
        because="Each step draws towards the $x_0$ that it is told, and the last one lands on it.",
    ),
    Question(
        "2.7b",
        "Somebody loses one of the three roots of the reverse chain and walks from noise to the end. How far from "
        "$x_0$ does the chain end?",
        choices=("far away, whichever root it is", "that depends on the root", "not at all: it ends at $x_0$, exactly"),
        answer="not at all: it ends at $x_0$, exactly",
        because="The last step has variance 0 and mean $x_0$, whatever was wrong before it.",
    ),
    Question(
        "2.8",
        "You are at step 500, between the peaks. Step back by 1, by 100, by 500: for which of the three is the true "
        "step within 0.01 nats of a Gaussian?",
        choices=("for none", "for 1 only", "for 1 and 100", "for all three"),
        answer="for 1 and 100",
        because="At step 400 there is one hump to come from; at step 0 there are two, and no Gaussian has two.",
    ),
)
