"""A diffusion concept inventory: what a learner, or a class, knew before and knows after, in sixteen questions.

    from diffusion_lib.course import inventory

    inventory("A")                  # before notebook 01
    inventory("B")                  # after notebook 06
    inventory("A", when="later")    # after notebook 13

Each question has four choices; the wrong ones are the mistakes that the exercises' checks name (`concepts`). The
forms A and B ask about the same concepts with another surface. No answer is ever shown, and the first answer to a
question counts for each occasion. What was answered is kept with the rest of the learner's record
(`course/progress.py`).

    python -m diffusion_lib inventory                              what is answered so far
    python -m diffusion_lib inventory --export mine.json           rights and wrongs alone: no name, no time, no text
    python -m diffusion_lib inventory --gain class/*.json          for a class: before, after and gain for each concept

`asking` shows the questions, `results` reads the record and writes the export, `gain` counts for a class. The forms
have been tried on no class yet: what is not known about them stands in `notebooks/TEACHING.md`.
"""

from .asking import inventory

__all__ = ["inventory"]
