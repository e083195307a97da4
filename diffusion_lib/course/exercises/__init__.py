"""Exercises that explain: `check("2.1", jump_to)` says in one sentence what is right or which mistake it is.

In a notebook::

    from diffusion_lib.course import check, hint, use

    check("2.1", jump_to)   # runs jump_to on random inputs against the exact answer, shows one sentence
    hint("2.1")             # a first hint; call it again for the next, three in all
    jump = use("2.1")       # yours if it was right, else the course's: what comes next is drawn with it

For teachers: while nbgrader executes a notebook (it sets the environment variable `NBGRADER_EXECUTION`), a check that
is not right raises `AssertionError` with the same sentence, so the cell fails and its points are lost. Set
`DIFFUSION_EXERCISES=strict` for the same effect anywhere else. `python -m diffusion_lib release` makes an nbgrader
course of the notebooks (`course/release`); there the points are given outside of the student's kernel, by
`handin.judge_file`.

For authors: an exercise is data (`exercise.Exercise`), one definition in its notebook's file (`nb02.py` holds 2.1,
2.2, …). Where the answer is itself a test, it is a `written_tests.TestExercise`: right and wrong programs to try it
on, as in `nb12.py`. In the notebook, the stub's code cell is tagged `exercise` and ends with its `check`; the next code
cell is tagged `solution`, is collapsed, and only defines the same function. Both carry `{"exercise": "2.1"}` in their
metadata. The stub's cell also carries what `release.notebook.graded("2.1")` gives, so that nbgrader's Validate button
sees its verdict.
"""

from .learner import check, hint, use

__all__ = ["check", "hint", "use"]
