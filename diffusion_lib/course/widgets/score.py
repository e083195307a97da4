"""How often the predictions were right: `Score`. `course.predictions` makes it."""

from collections.abc import Sequence

import traitlets

from .base import WIDGETS, Widget, view_of

STILL = (
    "Here stands, once you have answered, how often your predictions were right, and how often when you were sure. "
    "Run the cell to see it."
)


@WIDGETS.register
class Score(Widget):
    """The questions of a notebook and how often they were answered rightly, counted in the browser.

    levels: how sure one can be, from the least. `counts` are the same numbers in Python; `str()` says them in words.
    """

    _levels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _asked = traitlets.List(traitlets.Dict(), help="the questions: id, text, and whether it is asked here").tag(
        sync=True
    )
    _answers = traitlets.Dict(help="the answers by the question's id, oldest first").tag(sync=True)
    _kept = traitlets.Unicode("", help="where the answers are kept, in a sentence").tag(sync=True)

    def __init__(self, levels: Sequence[str]) -> None:
        self.counts: object = None
        super().__init__(_levels=list(levels))

    def __repr__(self) -> str:
        return STILL

    def __str__(self) -> str:
        return str(self.counts)

    def show(self, asked: Sequence[dict], answers: dict[str, list[dict]], *, counts: object, kept: str) -> None:
        """Show these questions and answers; counts: the same, counted."""
        self.counts = counts
        with self.hold_sync():
            self._asked, self._answers, self._kept = list(asked), answers, kept

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        self._cell.show()
        return {"text/plain": STILL, "text/markdown": f"*{STILL}*"} | view_of(self), {}
