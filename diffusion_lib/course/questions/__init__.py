"""Committed predictions: a question before its answer, locked by answering, and at the end how often one was right.

    from diffusion_lib.course import predict, predictions

    predict("2.3", "What share of each pixel's variance still comes from the picture after 300 of 1000 steps?",
            choices=["about 97 %", "about 70 %", "about 40 %", "about 5 %"], answer=2,
            because="Each step takes little, but beta grows, and three hundred of them multiply.")
    predict("3.1b", "How many nats lie between the bound and the truth?", answer=0.46, within=0.1, unit="nats",
            because="Most of it is paid in the last steps.")
    predictions()                                         # at the end of a notebook

Each stands alone in a code cell. A learner answers and says how sure they are, which locks the answer and shows the
right one. "Run all" waits for nobody, and running the cell again keeps the answer (`course/progress.py` says where). In
an exported page the browser keeps the answers. In a saved notebook stands the question with its answer folded, never a
learner's own.

`question` is a question as data, `counts` how often one was right, and `asking` what a notebook calls.
"""

from .asking import predict, predictions
from .question import LEVELS, Question

__all__ = ["LEVELS", "Question", "predict", "predictions"]
