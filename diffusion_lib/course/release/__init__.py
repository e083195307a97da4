"""The course as assignments of nbgrader: `release("my_course")`, or `python -m diffusion_lib release my_course`.

A folder is written in which nbgrader works at once::

    my_course/nbgrader_config.py                 says how submissions are graded
    my_course/source/01_the_beta_schedule/…      each notebook as its source version, an assignment of its own
    my_course/marking/01_the_beta_schedule.md    the marking guide: solutions, model answers, the teacher's notes

In a source version each exercise is an autograded answer, with the solution between nbgrader's marks, and a locked
check, worth a point a star. Each question of a notebook's end, and its open task, is an answer that a person marks.

**What a student can find.** The released notebooks hold no solution, no model answer and no teacher's note. The
installed package holds the solutions and the mistakes, in `course/exercises/nbNN.py` and the questions' answers
beside them, because a check on the student's own machine needs them; and the text after an exercise often derives
what it asked for. So points for exercises reward work and are no proof of it: let the questions, the open tasks and a
conversation carry the mark.

**What grading relies on.** Not on what a submission says of itself. The notebook runs in its kernel, which belongs to
the student; each function's answers are taken out of it as bare tensors and judged in nbgrader's own process
(`grading.Grade`), where nothing of the student's has run. A submission that replaces `check`, `AssertionError`,
modules of the package, the shell's hooks or environment variables, prints "right", or defines its function anew after
the check, changes nothing by it. Code that reaches for the course's own answers is looked for in plain sight, loses
the points of its exercises, and is named for a person to judge; somebody who hides it well, or copies the answer, is
not found. nbgrader runs submissions with your rights: grade in a container or under a user who can write nothing
else.

`notebook` makes the source version and the guide of one notebook, `folder` writes them all, `grading` is what nbgrader
runs; only the last needs nbgrader, which is no part of the course: `pip install nbgrader`.
"""

from .folder import release

__all__ = ["release"]
