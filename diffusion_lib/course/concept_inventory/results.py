"""What the record says of one learner's inventory, and the file for a class: rights and wrongs, and nothing else."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from .. import progress
from .concepts import CONCEPTS, FORMS

KIND = "inventory"  # what the record calls an answer
WHEN = ("before", "after", "later")  # before notebook 01, after 06, after 13
USUAL = dict(zip(FORMS, WHEN, strict=False))
EDITION = 1  # of the questions: counts of different editions are not to be compared

Learner = dict[str, dict[str, bool]]  # for each occasion, for each concept that was answered, whether rightly


def mine() -> Learner:
    """What is recorded on this machine: the first answer to each concept on each occasion counts."""
    answered: Learner = {}
    record = progress.read().of(KIND)
    for form in FORMS:
        for number, concept in enumerate(CONCEPTS, 1):
            for value in record.get(f"{form}{number}", []):
                if value.get("when") in WHEN and concept.form(form).choices.count(value.get("answer")):
                    right = value["answer"] == concept.form(form).right
                    answered.setdefault(value["when"], {}).setdefault(concept.name, right)
    return {when: answered[when] for when in WHEN if when in answered}


def write(file: Path, learners: Sequence[Learner]) -> None:
    """Write learners into a file, in a random order, each as its rights and wrongs (1 and 0)."""
    shuffled = [{w: {name: int(r) for name, r in of.items()} for w, of in learner.items()} for learner in learners]
    random.SystemRandom().shuffle(shuffled)
    content = {"diffusion concept inventory": EDITION, "learners": shuffled}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(file: Path) -> list[Learner]:
    """The learners in a file. Raises ValueError, which names it, if it is no such file or of another edition."""
    names = {concept.name for concept in CONCEPTS}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        edition = content["diffusion concept inventory"]
        learners = [
            {when: {name: bool(right) for name, right in of.items()} for when, of in learner.items()}
            for learner in content["learners"]
        ]
        known = all(when in WHEN and set(of) <= names for learner in learners for when, of in learner.items())
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{file} is no export of the inventory: write one with inventory --export {file}") from None
    if edition != EDITION or not known:
        raise ValueError(
            f"{file} is of edition {edition} of the questions, these are of {EDITION}: compare like with like"
        )
    return learners
