"""What every notebook owes its reader, as far as it can be read off the file: headings, links, pictures with words."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from diffusion_lib.course.pages import course
from diffusion_lib.course.questions.catalogue import catalogue

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(((?:[^()\s]|\([^()]*\))+)\)")
NOTEBOOKS = course()
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def markdown(path):
    return ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "markdown"]


def headings(texts):
    """(level, text) of every heading, code blocks left out."""
    plain = re.sub(r"^```.*?^```", "", "\n\n".join(texts), flags=re.DOTALL | re.MULTILINE)
    return [(len(marks), text.strip()) for marks, text in re.findall(r"^(#+) (.+)$", plain, re.MULTILINE)]


def broken_links(path, texts, files):
    """Links to a file, notebook or section that is not there. A section's address is its heading, blanks as hyphens."""
    broken = []
    for text in texts:
        for link in LINK.findall(text):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, section = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if target not in files and not target.exists():
                broken.append(link)
            elif section and target.suffix == ".ipynb":
                known = files[target] if target in files else headings(markdown(target))
                if section not in [heading.replace(" ", "-") for _, heading in known]:
                    broken.append(link)
    return broken


@every_notebook
def test_headings_are_one_title_and_no_gap(path):
    levels = [level for level, _ in headings(markdown(path))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@every_notebook
def test_links_lead_somewhere(path):
    assert broken_links(path, markdown(path), {}) == []


def test_a_broken_link_is_noticed():
    path = Path("a.ipynb").resolve()
    files = {path: [(2, "1.2 Slopes (and more)")]}
    good = "[x](#1.2-Slopes-(and-more)) [y](https://example.org/a#b)"
    assert broken_links(path, [good], files) == []
    assert broken_links(path, ["[x](#1.3-Slopes) [y](no_such.ipynb)"], files) == ["#1.3-Slopes", "no_such.ipynb"]


@every_notebook
def test_pictures_have_words(path):
    """A still's alternative text, for who does not see it; a sentence or so, and no file's name."""
    for cell in cells(path):
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
                assert len(alt.split()) >= 4, cell["id"]
        if cell["cell_type"] == "markdown":
            for alt in re.findall(r"!\[([^\]]*)\]\(", "".join(cell["source"])):
                assert len(alt.split()) >= 4, cell["id"]


def test_the_readme_links_lead_somewhere_and_name_every_notebook():
    readme = NOTEBOOKS[0].parents[1] / "README.md"
    text = readme.read_text(encoding="utf-8")
    assert broken_links(readme, [text], {}) == []
    for path in NOTEBOOKS:
        assert f"(notebooks/{path.name})" in text


TEACHING = (NOTEBOOKS[0].parent / "TEACHING.md").read_text(encoding="utf-8")
NUMBER = r"\d{1,2}\.\d{1,2}[a-z]?"  # of a section, an exercise or a question
MINUTES = {1: 5, 2: 10, 3: 20}  # of an exercise, by its stars
BESIDE = 5  # minutes for a question, and for something shown


def numbered(notebook):
    """A notebook's sections, its exercises with their stars, and its questions that are asked in it."""
    (path,) = (path for path in NOTEBOOKS if path.name.startswith(f"{notebook:02d}_"))
    text = "\n\n".join(markdown(path))
    sections = {title.split()[0] for _, title in headings(markdown(path)) if re.match(NUMBER + " ", title)}
    exercises = {id: len(stars) for id, stars in re.findall(rf"\*\*Exercise ({NUMBER}) \((★+)", text)}
    asked = re.findall(rf'predict\("({NUMBER})"\)', "\n".join("".join(cell["source"]) for cell in cells(path)))
    return sections, exercises, {id: question for id, question in catalogue(notebook).items() if id in asked}


def half_mistakes(name, half, exercises, questions):
    """What one half of a session, such as 7a, says that is not so: questions, wrong answers, stars and minutes."""
    wrong, minutes = [], [int(found) for found in re.findall(r"\((\d+) minutes", half)]
    for part in re.split(r"(?=\*(?:Ask|Exercises?:?|Show live:)\*)", half):
        if asked := re.match(rf"\*Ask\* ({NUMBER})", part):
            minutes.append(BESIDE)
            choices = questions[asked[1]].choices if asked[1] in questions else ()
            if asked[1] not in questions:
                wrong.append(f"{name}: no question {asked[1]}")
            for quote in re.findall(r'"([^"]+)"', part) if choices else ():
                if not any(quote.lower() in choice.lower() for choice in choices):
                    wrong.append(f"{name}: {quote!r} is no choice of {asked[1]}")
        elif part.startswith("*Exercise"):
            ids = re.findall(rf"({NUMBER}) ★", part)
            planned = sum(MINUTES[exercises[id]] for id in ids if id in exercises)
            if (
                not (said := re.search(r"\((?:\d+ minutes of )?(\d+)(?: minutes)?[,;)]", part))
                or int(said[1]) != planned
            ):
                wrong.append(f"{name}: {', '.join(ids)} take {planned} minutes")
        elif part.startswith("*Show"):
            minutes.append(BESIDE)
    return wrong + [f"{name}: {sum(minutes)} minutes"] * (sum(minutes) > 45)


def plan_mistakes(text):
    """What a plan for teaching says of the notebooks that is not so."""
    wrong, taught = [], set()
    for title, body in re.findall(r"^### (\d+\. .+)\n\n((?:(?!^##).*\n)+)", text, re.MULTILINE):
        notebooks = [int(number) for number in re.findall(r"\b\d\d\b", title.partition("(notebook")[2])]
        known = [numbered(notebook) for notebook in notebooks]
        exercises = {id: stars for _, part, _ in known for id, stars in part.items()}
        questions = {id: question for *_, part in known for id, question in part.items()}
        sections = set().union(*(part for part, *_ in known))
        body, taught = re.sub(r"(?<!\n)\n(?!\n)", " ", body), taught | set(notebooks)
        for id in re.findall(rf"(?<![\d.]){NUMBER}(?![\d.]\d)", body):
            if int(id.split(".")[0]) in notebooks and id not in sections | set(exercises) | set(questions):
                wrong.append(f"{title}: no {id}")
        for id, stars in re.findall(rf"({NUMBER}) (★+)", body):
            if exercises.get(id) != len(stars):
                wrong.append(f"{title}: exercise {id} has no {len(stars)} stars")
        for name, half in re.findall(r"^\*\*(\d+[ab])\.\*\* (.+)$", body, re.MULTILINE):
            wrong += half_mistakes(name, half, exercises, questions)
    for row in re.findall(r"^\| .*\.ipynb\).*\|$", text, re.MULTILINE):
        *_, notebooks, in_class, at_home, _ = row.split("|")
        sections = set().union(*(numbered(int(number))[0] for number in re.findall(r"\[(\d\d)\]", notebooks)))
        wrong += [f"no section {id}" for id in re.findall(NUMBER, in_class) if id not in sections]
        wrong += [
            f"at home: no {id}"
            for id in re.findall(NUMBER, at_home)
            if not any(id in part for part in numbered(int(id.split(".")[0]))[:2])
        ]
    return wrong + [f"no session for {path.name}" for i, path in enumerate(NOTEBOOKS) if i not in taught]


def test_the_plan_for_teaching_agrees_with_the_notebooks():
    assert plan_mistakes(TEACHING) == []
    assert broken_links(NOTEBOOKS[0].parent / "TEACHING.md", [TEACHING], {}) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("*Ask* 6.6", "*Ask* 6.1"),  # a section, and no question
        ("*Exercise* 3.3 ★★", "*Exercise* 3.3 ★"),
        ("1.1 ★★ and 1.2 ★ (15 minutes)", "1.1 ★★ and 1.2 ★ (20 minutes)"),
        ("the widget of 0.2", "the widget of 0.9"),
        ('"it halves"', '"it doubles"'),  # no choice of the question
        ("2.1 to 2.4; 2.6 to 2.8", "2.1 to 2.4; 2.6 to 2.9"),
        ("1.7 with exercise 1.4", "1.7 with exercise 1.9"),
        ("(20 minutes, in pairs)", "(40 minutes, in pairs)"),
        ("(notebook 13)", "(notebook 12)"),
    ],
)
def test_a_wrong_plan_is_noticed(right, wrong):
    text = re.sub(r"(?<!\n)\n(?!\n|\||#|-)", " ", TEACHING)
    assert right in text and plan_mistakes(text) == []
    assert plan_mistakes(text.replace(right, wrong)) != []
