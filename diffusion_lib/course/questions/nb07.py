"""The questions of notebook 07, scores and fast sampling."""

from .question import Question

QUESTIONS = (
    Question(
        "7.1",
        "Lay a grid over the square and draw the score at each of its places, once at $t=0.8$ and once at $t=0.1$, "
        "where there is an eighth of the noise. At which time are the arrows longer, on average?",
        choices=(
            "at $t=0.8$, where there is more noise to remove",
            "at both about alike",
            "at $t=0.1$, about seven times",
        ),
        answer="at $t=0.1$, about seven times",
        because="The score is the noise to be removed divided by $\\sigma_t$: the narrower the blobs, the steeper "
        "their sides.",
    ),
    Question(
        "7.2",
        "Leave out the shaking: 4000 points that are spread like $N(0,1)$ only climb, at $t=0.1$, until they stand "
        "still. Where are they?",
        choices=(
            "spread like $q_t$",
            "on the tops of the two peaks, 60 % and 40 %",
            "on the tops of the two peaks, about half and half",
            "all on the higher of the two peaks",
        ),
        answer="on the tops of the two peaks, about half and half",
        because="Each climbs the peak on whose slope it began, and the valley lies near the middle of $N(0,1)$.",
    ),
    Question(
        "7.2b",
        "Now with the shaking, but all 4000 start in the right peak. The left one holds 60 % of the data. After 2000 "
        "steps at the noise of $t=0.1$, how many percent of them are on the left?",
        choices=("about 60 %", "about 30 %", "less than 2 %"),
        answer="less than 2 %",
        because="Between the peaks the density is next to nothing, and nobody is shaken so hard as to cross there.",
    ),
    Question(
        "7.3",
        "A small network learns this field from 4000 points in a few seconds. Where is its score most wrong?",
        choices=(
            "where the blobs are, at large $t$",
            "where the blobs are, at small $t$",
            "far from all blobs, at small $t$",
            "far from all blobs, at large $t$",
        ),
        answer="far from all blobs, at small $t$",
        because="With little noise no training example ever lies there, so nobody told it anything about these places.",
    ),
    Question(
        "7.4",
        "On the flowing way, no two paths may cross. The left peak holds 60 % of the data. Below which place must the "
        "noise start, on the line of $N(0,1)$, for its path to end in the left peak?",
        answer=0.25,
        within=0.1,
        because="The paths keep their order, so the lowest 60 % of the noise become the left peak, and 60 % of "
        "$N(0,1)$ lie below 0.25.",
    ),
    Question(
        "7.5",
        "A method of second order, with twice as many steps: what becomes of its error?",
        choices=("it halves", "it falls to a quarter", "it falls to an eighth"),
        answer="it falls to a quarter",
        because="Order 2 means that the error goes with the square of the step.",
    ),
    Question(
        "7.6",
        "The same start, the exact field and 20 DDIM steps at the same SNRs, on four schedules as different as cosine "
        "and EDM. How far apart are the samples?",
        choices=(
            "clearly: a schedule is a choice that matters",
            "a little: about as much as 20 steps leave of error",
            "not at all, but for rounding",
        ),
        answer="not at all, but for rounding",
        because="In the straight coordinates all four walk along the same curve, through the same points.",
    ),
    Question(
        "7.8",
        "The likelihood of fresh points under the network's flow, and under the true density. Which is higher, on "
        "average?",
        choices=("that of the network", "that of the true density", "it is a matter of chance"),
        answer="that of the true density",
        because="Their mean difference is a KL divergence, which is never negative.",
    ),
)
