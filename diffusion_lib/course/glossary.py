"""The glossary and the index of symbols: read from the notebooks, so that nobody writes them twice.

A term is where a notebook defines it: `<dfn>score</dfn>` within a sentence of its text. A symbol is a row of the table
"All symbols of this notebook". `python -m diffusion_lib.course.glossary notebooks/GLOSSARY.md` writes both.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .pages import course

TERM = re.compile(r"<dfn>(.*?)</dfn>")
SYMBOLS = re.compile(r"<summary>All symbols.*?</summary>\s*(.*?)\s*</details>", re.DOTALL)
SENTENCE_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z*<$\"\[(])")


@dataclass(frozen=True)
class Entry:
    """A term or symbol, what it means, and where: the notebook's file and the section's heading."""

    name: str
    meaning: str
    file: str
    section: str = ""


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """Each markdown cell of a notebook, with the heading of the section that it stands in."""
    section = ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            if heading := re.search(r"^##+ (.+)$", text, re.MULTILINE):
                section = heading[1].strip()
            yield section, text


def terms(notebooks: Sequence[Path]) -> list[Entry]:
    """Every term that is defined, by name, with the sentence that defines it.

    Raises ValueError for a term that is defined twice.
    """
    entries: dict[str, Entry] = {}
    for path in notebooks:
        for section, text in texts(path):
            for paragraph in re.split(r"\n\s*\n|\n(?=[-*|] )", text):
                for name in TERM.findall(paragraph):
                    name = name.strip("*")
                    key = name.lower()
                    if key in entries:
                        raise ValueError(
                            f"{name!r} is defined in {entries[key].file} and in {path.name}: keep the first"
                        )
                    entries[key] = Entry(name, sentence(paragraph, name), path.name, section)
    return [entries[key] for key in sorted(entries)]


def sentence(paragraph: str, name: str) -> str:
    """The sentence of a paragraph in which a term is defined, without the marks about the term.

    With the sentence before it, where it begins with "This" or the like, which says nothing alone.
    """
    plain = re.sub(r"\*{1,2}(<dfn>.*?</dfn>)\*{1,2}", r"\1", " ".join(paragraph.split()))
    parts = SENTENCE_END.split(plain)
    last = next(number for number, part in enumerate(parts) if f"<dfn>{name}</dfn>" in part)
    first = last
    while first and re.match(r"(This|That|These|It|Its|They|So|Both)\b", parts[first]):
        first -= 1
    return re.sub(r"^[-*] ", "", TERM.sub(r"*\1*", " ".join(parts[first : last + 1]))).removesuffix(":")


def symbols(notebooks: Sequence[Path]) -> list[Entry]:
    """Every row of every notebook's table of symbols, in the course's order."""
    return [
        Entry(name, meaning, path.name)
        for path in notebooks
        for _, text in texts(path)
        for table in SYMBOLS.findall(text)
        for name, meaning in rows(table)
    ]


def rows(table: str) -> Iterator[tuple[str, str]]:
    """The two columns of a Markdown table, without its head. A bar within a formula is written `\\|` or `\\mid`."""
    for line in table.splitlines()[2:]:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if len(cells) != 2:
            raise ValueError(f"a row of a table of symbols has {len(cells)} columns, not 2: {line}")
        yield cells[0], cells[1]


def page(notebooks: Sequence[Path]) -> str:
    """The glossary and the index of symbols, in Markdown."""
    lines = [
        "# Glossary and symbols", "",
        "Each term where a notebook defines it, each symbol as the notebook's own table has it. Written "
        "from them by `python -m diffusion_lib.course.glossary notebooks/GLOSSARY.md`.", "",
        "## Terms", "",
    ]  # fmt: skip
    for term in terms(notebooks):
        lines.append(f"- **{term.name}** ([{term.section or term.file[:2]}]({term.file})). {term.meaning}")
    lines += ["", "## Symbols", "", "| symbol | meaning | notebooks |", "| --- | --- | --- |"]
    grouped: dict[tuple[str, str], list[str]] = {}
    for symbol in symbols(notebooks):
        grouped.setdefault((symbol.name, symbol.meaning), []).append(f"[{symbol.file[:2]}]({symbol.file})")
    lines += [f"| {name} | {meaning} | {', '.join(where)} |" for (name, meaning), where in grouped.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page to a file."""
    parser = argparse.ArgumentParser(prog="python -m diffusion_lib.course.glossary", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, help="where to write it")
    arguments = parser.parse_args()
    arguments.file.write_text(page(course()), encoding="utf-8")
    print(arguments.file)


if __name__ == "__main__":
    main()
