"""A pytest plugin: under `pytest --nbval` a notebook's words are compared exactly, its numbers within a tolerance.

A learner should see numbers, and another processor rounds the last digit of a sum otherwise. So for a number that is
committed as ``a`` and computed as ``b`` the comparison asks for

    |a - b| <= allowed,

where `allowed` is one unit of the last printed digit (the finer one, if a and b are printed with different numbers of
decimals), unless the cell's metadata says otherwise:

    "tolerance": "10%"      a share of |a|, and never less than one unit of the last printed digit
    "tolerance": 0.05       this much, in the units that are printed; 0 asks for the very same number
    "tolerance_reason": "…" why; needed as soon as a number may be off by more than 5 % (and more than one unit)

What counts as a number: 0.604, -3, −3, +0.5, .5, 40 %, 1e-05, 4.04e−5, 1. (as NumPy prints it), nan, inf, and 20,000,
20_000 or 20 000 with a comma, an underscore or a space between thousands. What does not, and is compared exactly:
digits that touch a letter (x0, conv2d, DPM2, 2M, 3s), versions (3.11.7), and whole numbers that begin with 0 (02).
Numbers that stand beside each other in a row are columns, not thousands. Spaces beside a number are not compared, and
several spaces elsewhere count as one, because the padding of a table moves with the width of its numbers.

Everything else must be as committed: the words, the number of lines, the number of numbers, the kinds of output and how
many there are of each. Of pictures only the number is compared.

pytest loads this module in every run (entry point `pytest11`), so it imports the standard library only. It acts on the
cells that nbval collects and on nothing else; `-p no:diffusion_lib.course.numbers` switches it off.
"""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest
from types import MethodType
from typing import NamedTuple

TOLERANCE, REASON = "tolerance", "tolerance_reason"
NEEDS_REASON = Decimal("0.05")
SHOWN = 10  # differences in one report

HTML = "text/html"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"  # a reference to an object of the kernel, new in each run
SPACES = " \u00a0\u2009\u202f"

NUMBER = re.compile(
    rf"""
    (?<![\w.])                                       # a digit that touches a letter belongs to a word
    (?P<sign>(?<![)\]%])[-+−])?
    (?: (?P<name>nan|inf)
      | (?: [1-9]\d{{0,2}}(?:,\d{{3}})+              # 20,000
          | [1-9]\d{{0,2}}(?:_\d{{3}})+              # 20_000
          | [1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+     # 20 000
          | 0(?!\d) | [1-9]\d* | 0+(?=\.\d) | (?=\.\d)
        )
        (?:\.\d+|\.(?=[eE][-+−]?\d))?
        (?:[eE][-+−]?\d{{1,3}})?
    )
    (?!\w|\.\d)                                      # nor is 3.11.7 a number
    """,
    re.VERBOSE | re.IGNORECASE,
)
MARKUP = re.compile(r"<style\b.*?</style>|<script\b.*?</script>|<!--.*?-->|<[^>]*>|&#?\w+;", re.DOTALL | re.IGNORECASE)


class Number(NamedTuple):
    """A number as it was printed: its text, its value (nan and inf included), and one unit of its last digit."""

    text: str
    value: Decimal
    unit: Decimal


class Tolerance(NamedTuple):
    """How far a number may be off: a share of it, or an amount; with neither, one unit of its last printed digit."""

    share: Decimal | None = None
    amount: Decimal | None = None

    def allowed(self, committed: Number, computed: Number | None = None) -> Decimal:
        """The largest |committed - computed| that passes."""
        unit = committed.unit if computed is None else min(committed.unit, computed.unit)
        if self.amount is not None:
            return self.amount
        if self.share is not None and committed.value.is_finite():
            return max(unit, self.share * abs(committed.value))
        return unit

    def __str__(self):
        if self.amount is not None:
            return "the cell's tolerance"
        return "one unit of the last printed digit" if self.share is None else f"the cell's {self.share * 100:f}%"


def read_tolerance(metadata: Mapping) -> Tolerance:
    """The tolerance that a cell's metadata states; ValueError, which says what to write, if it cannot be read."""
    stated = metadata.get(TOLERANCE)
    if stated is None:
        return Tolerance()
    if isinstance(stated, int | float) and not isinstance(stated, bool) and math.isfinite(stated) and stated >= 0:
        return Tolerance(amount=Decimal(str(stated)))
    if isinstance(stated, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", stated)):
        return Tolerance(share=Decimal(match[1]) / 100)
    raise ValueError(
        f'"{TOLERANCE}": {stated!r} in a cell\'s metadata is neither a percentage nor a number of 0 or more: '
        f'write "{TOLERANCE}": "2%" or "{TOLERANCE}": 0.05'
    )


def refusal(metadata: Mapping, outputs: Sequence[Mapping]) -> str | None:
    """Why this cell's tolerance cannot be accepted, in one sentence, or None if it can.

    outputs: those that are committed. A tolerance that lets one of their numbers be off by more than 5 %, and by more
    than the one unit that every number may be off, needs a reason beside it.
    """
    try:
        tolerance = read_tolerance(metadata)
    except ValueError as error:
        return str(error)
    if str(metadata.get(REASON) or "").strip():
        return None
    wide = f'state why in the cell\'s metadata, "{REASON}": "…", or take 5 % or less'
    if tolerance.share is not None and tolerance.share > NEEDS_REASON:
        return f'"{TOLERANCE}": "{metadata[TOLERANCE]}" is more than 5 % and has no reason: {wide}'
    for number in _numbers(outputs) if tolerance.amount is not None else []:
        if tolerance.amount > max(number.unit, NEEDS_REASON * abs(number.value)):
            return (
                f'"{TOLERANCE}": {metadata[TOLERANCE]} is more than 5 % of the number {number.text} '
                f"and has no reason: {wide}"
            )
    return None


def _numbers(outputs: Sequence[Mapping]) -> list[Number]:
    """All finite numbers in the texts of a cell's outputs."""
    return [
        number
        for kind, texts in _texts(outputs).items()
        for text in texts
        if isinstance(text, str)
        for _, numbers, _ in _lines(text, kind == HTML)
        for number in numbers
        if number.value.is_finite()
    ]


def split(line: str) -> tuple[list[str], list[Number]]:
    """A line as what stands between its numbers (one piece more than there are numbers), and its numbers."""
    pieces, numbers, end = [], [], 0
    for match in (part for candidate in NUMBER.finditer(line) for part in _ungrouped(line, candidate)):
        pieces.append(line[end : match.start()])
        numbers.append(_number(match))
        end = match.end()
    pieces.append(line[end:])
    return [re.sub(r"^\. ", ".", " ".join(piece.split())) for piece in pieces], numbers


def _ungrouped(line: str, match: re.Match) -> list[re.Match]:
    """`20 000` is one number, but in a row of numbers, or in brackets, its parts are numbers of their own."""
    if not any(space in match[0] for space in SPACES):
        return [match]
    before, after = line[: match.start()].rstrip(), line[match.end() :].lstrip()
    in_a_row = before[-1:].isdigit() or before.endswith(".") or re.match(r"[-+−.]?\d", after)
    in_brackets = before.endswith("[") or after.startswith("]")
    if not (in_a_row or in_brackets):
        return [match]
    groups = re.compile(rf"[^{SPACES}]+").finditer(line, match.start(), match.end())
    return [part for group in groups if (part := NUMBER.match(line, group.start(), group.end()))]


def _number(match: re.Match) -> Number:
    text = match[0]
    if match["name"]:
        value = Decimal(text.replace("−", "-"))
        return Number(text, value, Decimal(0))
    digits = re.sub(rf"[,_{SPACES}]", "", text).replace("−", "-")
    value = Decimal(digits)
    return Number(text, value, Decimal(1).scaleb(value.as_tuple().exponent))


def _lines(text: str, html: bool = False) -> list[tuple[list[str], list[Number], str]]:
    """Each line of a text as its words, its numbers and itself. In HTML what is inside a tag counts as words."""
    if not html:
        return [(*split(line), line) for line in text.rstrip().splitlines()]
    lines, end = [], 0
    for tag in [*MARKUP.finditer(text), None]:
        between = text[end : tag.start() if tag else len(text)]
        lines += _lines(between) if between.strip() else []
        if tag:
            lines.append(([tag[0]], [], tag[0]))
            end = tag.end()
    return lines


def close(committed: Number, computed: Number, tolerance: Tolerance) -> bool:
    """Is the computed number as near to the committed one as the tolerance asks? nan is near nan, inf near inf."""
    a, b = committed.value, computed.value
    if not (a.is_finite() and b.is_finite()):
        return (a.is_nan() and b.is_nan()) or (not a.is_nan() and not b.is_nan() and a == b)
    return abs(a - b) <= tolerance.allowed(committed, computed)


def differences(committed: str, computed: str, tolerance: Tolerance | None = None, *, html: bool = False) -> list[str]:
    """What keeps a computed text from counting as the committed one: a sentence for each difference, or none.

    tolerance: as `read_tolerance` gives it; without it, one unit of each number's last printed digit.
    """
    tolerance = tolerance or Tolerance()
    old, new = _lines(committed, html), _lines(computed, html)
    part = "piece" if html else "line"
    reports = []
    for row, (before, after) in enumerate(zip_longest(old, new), 1):
        if before is None or after is None:
            state, line = ("computed and not committed", after) if before is None else ("missing", before)
            reports.append(f"{part} {row} is {state}:\n    {line[2]}")
            continue
        both = f"\n    committed: {before[2]}\n    computed:  {after[2]}"
        if len(before[1]) != len(after[1]):
            reports.append(f"{part} {row}: {len(before[1])} numbers committed, {len(after[1])} computed{both}")
            continue
        if _words(before, after) != _words(after, before):
            reports.append(f"{part} {row}: other words{both}")
        for place, (a, b) in enumerate(zip(before[1], after[1], strict=True), 1):
            if not close(a, b, tolerance):
                reports.append(
                    f"{part} {row}, number {place}: committed {a.text}, computed {b.text}, "
                    f"allowed ±{tolerance.allowed(a, b)} ({tolerance}){both}"
                )
    if len(old) != len(new):  # from the first difference on, the rest has moved
        reports = [f"{len(old)} {part}s committed, {len(new)} computed; {reports[0]}"]
    return reports


def _words(line: tuple, other: tuple) -> list[str]:
    """A line's words. `1.` beside `0.99`: NumPy's point behind a whole number is part of the number."""
    words = list(line[0])
    for place, (a, b) in enumerate(zip(line[1], other[1], strict=True), 1):
        if ("." in a.text) != ("." in b.text):
            words[place] = words[place].removeprefix(".")
    return words


def _texts(outputs: Sequence[Mapping]) -> dict[str, list]:
    """What is compared, by kind: a stream's name, an error's parts, or the MIME type of what was displayed."""
    texts: dict[str, list] = {}
    for output in outputs:
        if output["output_type"] == "stream":
            texts.setdefault(output["name"], []).append(_joined(output["text"]))
        elif output["output_type"] == "error":
            for part in ("ename", "evalue"):
                texts.setdefault(part, []).append(output[part])
        for kind, content in output.get("data", {}).items():
            if kind != WIDGET_VIEW and not kind.startswith("image/"):
                texts.setdefault(kind, []).append(_joined(content))
    return texts


def _joined(content):
    lines = isinstance(content, list) and all(isinstance(line, str) for line in content)
    return "".join(content) if lines else content


def _kinds(outputs: Sequence[Mapping]) -> dict[str, int]:
    """How many outputs there are of each kind, and how many pictures of each format."""
    count: dict[str, int] = {}
    for output in outputs:
        kinds = [" ".join(filter(None, (output["output_type"], output.get("name"))))]
        kinds += [kind for kind in output.get("data", {}) if kind != WIDGET_VIEW]
        for kind in kinds:
            count[kind] = count.get(kind, 0) + 1
    return count


def compare(committed: Sequence[Mapping], computed: Sequence[Mapping], metadata: Mapping) -> list[str]:
    """What keeps a cell's computed outputs from counting as the committed ones: a sentence each, or none.

    committed, computed: outputs as nbformat has them; metadata: the cell's.
    """
    if reason := refusal(metadata, committed):
        return [reason]
    tolerance = read_tolerance(metadata)
    before, after = _kinds(committed), _kinds(computed)
    reports = [
        f"outputs of the kind {kind}: {before.get(kind, 0)} committed, {after.get(kind, 0)} computed"
        for kind in sorted(before | after)
        if before.get(kind, 0) != after.get(kind, 0)
    ]
    old, new = _texts(committed), _texts(computed)
    for kind in old | new:
        for count, (a, b) in enumerate(zip_longest(old.get(kind, []), new.get(kind, []), fillvalue=""), 1):
            if isinstance(a, str) and isinstance(b, str):
                sentences = differences(a, b, tolerance, html=kind == HTML)
            else:
                sentences = [] if a == b else [f"committed {a!r}, computed {b!r}"]
            place = kind if len(old.get(kind, [])) < 2 else f"{kind} {count}"
            reports += [f"{place}, {sentence}" for sentence in sentences]
    return reports


def compare_outputs(item, test: Sequence[Mapping], ref: Sequence[Mapping], skip_compare=None) -> bool:
    """What stands in the place of the method of this name of nbval's cells; it leaves the report where nbval looks."""
    reports = compare(item.sanitize_outputs(ref), item.sanitize_outputs(test), item.cell.metadata)
    item.comparison_traceback = reports[:SHOWN]
    if len(reports) > SHOWN:
        item.comparison_traceback.append(f"and {len(reports) - SHOWN} more")
    return not reports


def pytest_itemcollected(item) -> None:
    """pytest's hook, for each test that is collected: nbval's cells compare numbers from here on."""
    if any((cls.__module__, cls.__name__) == ("nbval.plugin", "IPyNbCell") for cls in type(item).__mro__):
        item.compare_outputs = MethodType(compare_outputs, item)
