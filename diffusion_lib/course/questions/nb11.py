"""The questions of notebook 11, evaluation."""

from .question import Question

QUESTIONS = (
    Question(
        "11.1",
        "Sixteen digits are drawn from noise with the exact denoiser of the 1442 training digits. How many of them are "
        "training digits, pixel for pixel?",
        choices=("none", "about half", "all sixteen"),
        answer="all sixteen",
        because="Its guess is a weighted mean of training digits, and as the noise falls one of them takes all.",
    ),
    Question(
        "11.2",
        "The exact denoiser that sees 3 × 3 pixels draws a picture. What will it be?",
        choices=(
            "a training digit",
            "strokes joined as no training digit has them",
            "noise",
        ),
        answer="strokes joined as no training digit has them",
        because="Every patch has to look like one of the training set, and nothing looks after the whole.",
    ),
    Question(
        "11.3",
        "At $t=0.5$ picture and noise are about equally strong. Which exact denoiser's guess is most like the small "
        "convolutional network's?",
        choices=("that of whole pictures", "that of patches", "that of one Gaussian"),
        answer="that of patches",
        because="The network is local and treats all places alike, and so does this denoiser.",
    ),
    Question(
        "11.4",
        "A hundred real digits have a distance of about 17 to a hundred other real digits. What about 400 and 400?",
        choices=("also about 17", "about half of it, 8.5", "about a quarter of it, 4.3", "0"),
        answer="about a quarter of it, 4.3",
        because="The squared errors of means and covariances fall as one over the number of pictures.",
    ),
    Question(
        "11.4b",
        "Real digits are reduced to 6 × 6 pixels and enlarged to 8 × 8 again. The classifier reads 329 of 355, where "
        "it read 348. What is their Fréchet distance to other real digits, if the floor is 5?",
        choices=("about 5", "about 15", "more than 50"),
        answer="more than 50",
        because="The features see the blur, the same in every picture, so that no number of pictures evens it out.",
    ),
    Question(
        "11.5",
        "Which of the three does the Fréchet distance give away, by more than chance could explain?",
        choices=("(a) the copier", "(b) no eights", "(c) the cloud", "none of them"),
        answer="none of them",
        because="All have nearly the right mean and covariance of the features, and nothing else is compared.",
    ),
    Question(
        "11.6",
        "Guidance with scale 4 in place of 1: what happens to precision and recall?",
        choices=("both rise", "precision stays about the same, recall falls", "precision falls, recall rises"),
        answer="precision stays about the same, recall falls",
        because="Guided digits are typical ones: as good as before, and few of the many ways to write a digit.",
    ),
    Question(
        "11.7",
        "Three equal networks are trained with equally many steps, on 10, 100 and 898 digits. Which ones have samples "
        "that lie nearer to their training set than to fresh digits?",
        choices=("none", "only that of 10", "those of 10 and 100", "all three"),
        answer="those of 10 and 100",
        because="With 10 all samples do, with 100 seven in ten, and with 898 as many as chance would have.",
    ),
    Question(
        "11.8",
        "Replace 99 of 100 samples of a model by pure noise. By how much does its likelihood get worse, in bits per "
        "dimension, for pictures of 64 pixels?",
        answer=0.1,
        within=0.03,
        unit="bits per dimension",
        because="The density of a real digit falls to a hundredth at worst: log2(100) bits in all, over 64 dimensions.",
    ),
)
