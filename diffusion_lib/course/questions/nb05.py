"""The questions of notebook 05, training."""

from .question import Question

QUESTIONS = (
    Question(
        "5.1",
        "Leave `Normalize` out, so that the pictures lie in $[0,1]$, half the range. Noise and schedule stay. What "
        "happens to $\\mathrm{SNR}=\\alpha^2/\\sigma^2$ at each $t$, and what to the pictures in $x_t$?",
        choices=(
            "the SNR falls to a quarter, and the pictures drown earlier",
            "the SNR stays, and the pictures drown earlier",
            "the SNR stays, and so does what one can see of the pictures",
        ),
        answer="the SNR stays, and the pictures drown earlier",
        because="The SNR is a property of the schedule alone, but half the range is a quarter of the variance that the "
        "picture has against the noise.",
    ),
    Question(
        "5.2",
        "The loop runs now, and asks for `criterion(outputs, inputs)` to be small, where `outputs = model(inputs)`. "
        "Which network would do this task perfectly?",
        choices=(
            "one that knows what digits and shapes look like",
            "one that returns its input untouched",
            "none: the loss cannot become 0",
        ),
        answer="one that returns its input untouched",
        because="The output is compared with the very thing that went in.",
    ),
    Question(
        "5.3",
        "Four loops: *as printed*, *+ zero_grad*, *+ noise*, *+ t*, each with one change more. After 184 steps, "
        "whose loss is the lowest?",
        choices=("as printed", "+ zero_grad", "+ noise", "+ t"),
        answer="+ zero_grad",
        because="It trains as it should, on the one task among the four that can be done perfectly: copying.",
    ),
    Question(
        "5.3b",
        "New digits, noised to times from 0 to 1. How much larger is the mean squared error of the network that was "
        "never told $t$?",
        choices=("a few per cent larger", "about half as large again", "several times as large"),
        answer="a few per cent larger",
        because="A picture of 64 noisy pixels betrays how noisy it is, so the network can tell $t$ for itself.",
    ),
    Question(
        "5.3c",
        "One of the three flaws ruins the samples and leaves the loss curve just as it should be. Which?",
        choices=("one t", "same noise", "swapped"),
        answer="swapped",
        because="What is trained is as hard as before, only that each time carries the name of another.",
    ),
    Question(
        "5.4",
        "Stratified times against plain ones, for a batch of 64 and a trained network. How do they change the scatter "
        "of the batch's *loss*, and that of its *gradient*?",
        choices=(
            "both fall to less than half",
            "the loss's falls to less than half, the gradient's hardly at all",
            "the gradient's falls to less than half, the loss's hardly at all",
        ),
        answer="the loss's falls to less than half, the gradient's hardly at all",
        because="The loss depends strongly on the time, while the gradient scatters for other reasons: which pictures, "
        "and which noise.",
    ),
    Question(
        "5.5",
        "The average begins as a copy of the untrained network and keeps $d=0.999$ of itself in each update. After 50 "
        "updates, how many per cent of it are still the untrained network?",
        answer=95.1,
        within=4,
        unit="per cent",
        because="It is $0.999^{50}$, about $1-50/1000$.",
    ),
    Question(
        "5.6",
        "Adam, no clipping. At step 100 one batch arrives fifty times too large, and its gradient is thousands of "
        "times as long as others. How long are Adam's steps *later*, from step 150 to step 300, next to those of a "
        "training without that batch?",
        choices=(
            "as long: Adam divides by the gradient's size",
            "longer",
            "shorter",
        ),
        answer="shorter",
        because="Adam divides by a remembered size, and remembers a huge gradient for about a thousand steps.",
    ),
    Question(
        "5.8",
        "On the digits that it was trained on, where does your network come close to the memoriser, the best possible "
        "answer for exactly these digits?",
        choices=("near t = 0, where there is little noise", "near t = 1, where there is much", "nowhere"),
        answer="near t = 1, where there is much",
        because="Where the noise hides everything, nobody can do better than the average digit.",
    ),
    Question(
        "5.9",
        "Train 60 steps in one go. Then again, but stop after 30, save, load and do the other 30. Will the weights "
        "agree?",
        choices=(
            "not even nearly: chance has changed",
            "up to rounding",
            "to the last bit, if the right things were saved",
        ),
        answer="to the last bit, if the right things were saved",
        because="Every random number can be made to follow from the step's number, and the rest can be saved.",
    ),
)
