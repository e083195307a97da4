"""The questions of notebook 12, the bug gallery: a symptom, and causes, most of which are those of other rooms."""

from .question import Question


def _room(id: str, text: str, because: str, causes: dict[str, str]) -> Question:
    """A question for a cause: causes with what speaks against each, and nothing against the right one."""
    (answer,) = (cause for cause, against in causes.items() if not against)
    why_not = {cause: against for cause, against in causes.items() if against}
    return Question(id, text, answer, because, tuple(causes), why_not=why_not)


QUESTIONS = (
    _room(
        "12.2",
        "Room 1: at the last timestep the digits can still be read. What is the cause, and where does it sit?",
        "A tenth of the steps with the same betas destroys far too little, and every single step is right.",
        {
            "`gaussian`: uniform noise in the place of Gaussian noise": "Uniform noise has a mean of 0.5, so all eight "
            "pictures would be one lighter grey, and no digit would show.",
            "`make_beta`: fewer timesteps, with the betas of 1000": "",
            "`jump`: a variance where a standard deviation belongs": "Without its root the factor of the data would be "
            "smaller still, and the noise cancels in these means, whatever its factor.",
            "the data: not scaled to −1 … 1": "The right code multiplies data of any range by 0.0045 here, so nothing "
            "would be left of them either.",
        },
    ),
    _room(
        "12.2b",
        "Room 2: after 100 steps there is far too little noise. What is the cause, and where does it sit?",
        "The data are gone, so there were steps enough; but beta is far smaller than its root, so little came in.",
        {
            "`make_beta`: fewer timesteps, with the betas of 1000": "Then the chains would not have forgotten that "
            "they began at 1: their mean would be 0.6, and the picture shows 0.",
            "`step`: the noise is multiplied in twice": "A product of two such noises has variance 1 as well, so after "
            "100 steps the bell would have its full width.",
            "`step`: a variance where a standard deviation belongs": "",
            "`walk`: noise is added at the last step": "This chain only goes forward, so no line of the walk back is "
            "run; and more noise would make the bars wider, not narrower.",
        },
    ),
    _room(
        "12.2c",
        "Room 3: mean and variance of the step are right, its shape is not. What is the cause, and where does it sit?",
        "A product of two noises has variance 1 as well, but it is often near 0, and now and then very large.",
        {
            "`gaussian`: uniform noise in the place of Gaussian noise": "Uniform noise has a flat top, no tails, and a "
            "mean of 0.5; here you see a peak, long tails, and a mean of 0.",
            "`step`: the noise is multiplied in twice": "",
            "`step`: a variance where a standard deviation belongs": "A wrong factor changes the width and not the "
            "shape, and the variance below the picture is right.",
            "`step`: the beta of another timestep": "Another beta is another factor: a wider or narrower bell, and "
            "still a bell.",
        },
    ),
    _room(
        "12.3",
        "Room 4: the samples lie on the blobs, but crowd towards the middle. What is the cause, and where does it sit?",
        "With too small a weight of x, the walk forgets where it was and is drawn to the mean of its guesses.",
        {
            "`posterior`, line `var`: noise is added at the last step": "That noise has a deviation of 0.03: a fine "
            "grain in all directions, which draws nothing towards the middle.",
            "`walk`: it begins one timestep too late": "At timestep 99 the factor of the data is 0.0050 and not "
            "0.0045: as good as only noise, so nobody would see a difference.",
            "`posterior`, line `keep`: a wrong root": "",
            "`exact`: the guess does not know the time": "Such a guess believes in much noise up to the end and "
            "answers with means of many points, so the samples would lie between the blobs and not on them.",
        },
    ),
    _room(
        "12.3b",
        "Room 5 draws digits that nobody can tell from right ones, and its code has one wrong line. Which test can "
        "notice it?",
        "There every sample is known in advance, and so the smallest error can be seen.",
        {
            "one that looks at the shape of the samples": "Eight samples of 64 numbers come out, as they should: the "
            "line changes values only.",
            "one whose data are a single point": "",
            "one that draws 100 times as many samples and looks at them": "The error is a grain of 0.03 on pixels from "
            "−1 to 1: no eye sees it, however many samples there are.",
            "one that compares two runs with the same seed": "Both runs make the same mistake, so they are equal, and "
            "equally wrong.",
        },
    ),
    _room(
        "12.3c",
        "Room 6: one step back by DDIM with fresh noise, eta = 1. There is too much noise. What is the cause, and "
        "where does it sit?",
        "The two variances must add up to 1 - alpha_bar at the end of the step.",
        {
            "`ddim`, line `old`: fresh noise comes in, and as much of the old is kept as before": "",
            "`make_beta`: the betas have been rescaled twice": "Bars and curve are drawn with one and the same table, "
            "so with another table the curve would change along with the bars.",
            "`ddim`, line `eps`: x0 was clipped before": "All data are 0 here, and so is x0: there is nothing to clip.",
            "`gaussian`: uniform noise in the place of Gaussian noise": "Uniform noise has a mean of 0.5 and a small "
            "variance: the bars would be narrow, and to the right of 0.",
        },
    ),
    _room(
        "12.4",
        "Room 7: the samples gather on an arc between the blobs. What is the cause, and where does it sit?",
        "It believes that everything is noise up to the end, and keeps answering with a mean of many points.",
        {
            "`walk`: it ends one timestep too early": "At timestep 1 the noise that is left has a deviation of 0.03, "
            "so the samples would lie on the blobs.",
            "`exact`: the guess does not know the time": "",
            "`posterior`, line `keep`: a wrong root": "That is the line of room 4, where the samples are still on the "
            "blobs.",
            "`walk`: no noise is added": "Without fresh noise all 400 walks would end within 0.02 of each other.",
        },
    ),
    Question(
        "12.4b",
        "Room 8: read the order of the broken method off the right-hand line, as a whole number: from 10 to 100 steps, "
        "by how many powers of ten does its error fall?",
        answer=1,
        within=0.2,
        because="From 8 to 128 steps, 16 times as many, the error falls from about 0.05 to 0.003, also about 16 times.",
    ),
    _room(
        "12.5",
        "Room 9: the loss falls to 0.00, and the samples are one heap of noise. What is the cause, and where does it "
        "sit?",
        "No network can know the noise in a noised point, so a loss of 0 is not a success but an alarm.",
        {
            "the network: it is far too small": "A network that is too small has a loss above 0.21, not below.",
            "`losses_of`, last line: the target is the network's own input": "",
            "`train`, line `zero_grad`: it is missing": "Then every step takes all earlier gradients once more, and "
            "the loss swings widely and never comes near 0.",
            "`train`, line `decay`: the averaged network lags behind": "The loss is that of the network itself, so a "
            "lag of its average would leave it at 0.21.",
        },
    ),
    _room(
        "12.5b",
        "Room 10: the loss is 0.21, as for the right code, digit for digit. Where can the bug *not* be?",
        "Another target would have another loss. Whatever comes after the loss does not change it.",
        {
            "in the line that reads the network's answer": "It can be there: this line is run for samples only, when "
            "all losses have been taken.",
            "in the walk": "It can be there: training never walks.",
            "in the target of training": "",
            "in the averaged weights": "It can be there: the loss is that of the network itself, and the samples are "
            "those of its average.",
        },
    ),
    _room(
        "12.5c",
        "Room 11: the same loss again, and not one sample in the picture. What would you look at first?",
        "The loss is that of the network, the samples are those of its average: look where they part.",
        {
            "the samples of the network itself, without the averaging": "",
            "the learning rate": "With another learning rate the loss would be another one, and it is that of the "
            "right code.",
            "a larger network": "The same network does it in the right code, with the same loss.",
            "the data's range": "Other data have another loss, and it is that of the right code.",
        },
    ),
    _room(
        "12.6",
        "`same(a, b)` sums the differences of two tensors, and asks whether the sum is nearly 0. Of two wrong answers, "
        "one in reverse order and one off by 1 in both directions alike: how many does it find equal to the right one?",
        "Errors of opposite sign cancel, and a sum does not know the order.",
        {
            "none": "It only sees the sum of the differences, and for each of the two that is 0.",
            "one": "For the other one, too, the differences add up to 0.",
            "both": "",
        },
    ),
)
