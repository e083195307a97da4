"""`python tests/exercise_answers`: how the checks judge answers as learners write them."""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from diffusion_lib.course.exercises.catalogue import find
from diffusion_lib.course.exercises.verdicts import judge
from exercise_answers import function_of, kind, written_answers

wrong: Counter = Counter()
right: Counter = Counter()
for written in written_answers():
    exercise = find(written.id)
    line = judge(exercise, function_of(exercise, written.body)).line
    if written.says is None:
        right["accepted" if "— right." in line else "refused"] += 1
    else:
        wrong[kind(exercise, line) if written.says in line or "— right." in line else "another sentence"] += 1
print(f"{right.total()} right answers: {dict(right)}")
print(f"{wrong.total()} wrong answers: {dict(wrong.most_common())}")
