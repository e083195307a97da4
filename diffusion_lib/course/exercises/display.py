"""How a verdict looks: a mark, a colour and words, wrapped at the ends of words.

A notebook gets HTML, which wraps to the page, and the same words as plain text; everywhere else the plain text is
printed, wrapped at `WIDTH` characters. The mark and the words say all that the colour says.
"""

import html
import re
import sys
import textwrap
from typing import Literal

from ..tokens import VERDICTS

WIDTH = 100  # characters of a line of plain text

Tone = Literal["right", "not attempted", "not yet", "hint"]

MARKS: dict[Tone, str] = {"right": "✓", "not attempted": "○", "not yet": "✗", "hint": "→"}


def show(text: str, tone: Tone) -> None:
    """Show one line, such as "2.1 — right.", with the mark and the colour of its tone."""
    shell = _notebook()
    if shell is None:
        print_safely(plain(text, tone))
        return
    from IPython.display import display

    display({"text/html": as_html(text, tone), "text/plain": plain(text, tone)}, raw=True)


def plain(text: str, tone: Tone) -> str:
    """The mark and the text, wrapped at the ends of words; what follows the first line is indented."""
    return textwrap.fill(
        f"{MARKS[tone]} {text}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def as_html(text: str, tone: Tone) -> str:
    """The mark and the text as HTML: `code` and *emphasis* are set as such, the rest is quoted.

    All style is inline: JupyterLab keeps it also in a notebook that it does not trust yet. The text takes the page's
    own colour, so it can be read on light and dark pages.
    """
    head, dash, rest = text.partition(" — ")
    label, stop, rest = re.match(r"(.*?)([.:]|$)(.*)", rest, re.DOTALL).groups() if dash else ("", "", "")
    words = f"<b>{html.escape(head + dash + label + stop)}</b>{_inline(rest)}"
    return (
        f'<div style="border-left: 4px solid {VERDICTS[tone]}; padding: 2px 0 2px 10px; max-width: 50em; '
        'white-space: normal; word-break: normal; overflow-wrap: break-word">'
        f'<span style="color: {VERDICTS[tone]}; font-weight: bold">{MARKS[tone]}</span> {words}</div>'
    )


def _inline(text: str) -> str:
    parts = re.split(r"`([^`]+)`", text)  # every second part is code
    return "".join(
        f"<code>{html.escape(part)}</code>" if place % 2 else _emphasis(html.escape(part))
        for place, part in enumerate(parts)
    )


def _emphasis(text: str) -> str:
    return re.sub(r"(?<![\w*])\*(\w(?:[\w ]*\w)?)\*(?![\w*])", r"<em>\1</em>", text)


def print_safely(text: str) -> None:
    """Print, with a question mark for each sign that the terminal's encoding does not have."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def clean(value: object, *, otherwise: str = "") -> str:
    """The text of a value on one line, without control characters.

    `otherwise` if it has none, or raises when it is asked for it.
    """
    try:
        text = str(value)
    except Exception:
        return otherwise
    text = "".join(sign if sign.isprintable() else " " for sign in " ".join(text.splitlines()))
    return text.strip() or otherwise


def _notebook() -> object | None:
    """The shell of the Jupyter kernel that this runs in; None in a terminal or a script."""
    if sys.modules.get("IPython") is None:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None
