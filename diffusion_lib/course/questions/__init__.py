"""Committed predictions: a question before its answer, locked by answering, and at the end how often one was right.

    from diffusion_lib.course import predict, predictions

    predict("2.3")                       # a question of the course, from `nb02.py` beside this file
    predict("2.3b", "What is left after 600 steps?", choices=["about 40 %", "about 3 %"], answer=1,
            because="Half of the steps take much more than half of the signal.")
    predict("3.1b", "How many nats lie between the bound and the truth?", answer=0.46, within=0.1, unit="nats",
            because="Most of it is paid in the last steps.")
    predictions()                        # at the end of a notebook

Each stands alone in a code cell. A question that is written in the cell has its answer in sight, unless the cell's
source is collapsed (and a code host shows it even then); so those of the course are in files, one a notebook.

A learner answers and says how sure they are, which locks the answer and shows the right one. "Run all" waits for
nobody, and running the cell again keeps the answer (`course/progress.py` says where). In an exported page the browser
keeps the answers. In a saved notebook stands the question with its answer folded, never a learner's own.

`question` is a question as data, `catalogue` finds the course's, `counts` counts how often one was right, and `asking`
is what a notebook calls.
"""

from .asking import predict, predictions
from .question import LEVELS, Question

__all__ = ["LEVELS", "Question", "predict", "predictions"]
