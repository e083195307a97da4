"""How far a learner has come, as a table: `Overview`. `course.my_progress` makes it."""

from collections.abc import Sequence

import traitlets

from .base import WIDGETS, Widget, view_of

STILL = "Here stands which exercises you have solved and how your predictions went. Run the cell to see it."


@WIDGETS.register
class Overview(Widget):
    """A table with a row for each notebook: its number, and in words its exercises and its predictions.

    rows: (notebook, how many are solved, each exercise with its mark, predictions). kept: where the record is. Neither
    is in a saved notebook or in a page.
    """

    _answers = traitlets.List(help="the rows, each a list of texts").tag(sync=True)
    _kept = traitlets.Unicode("", help="where the record is kept, in a sentence").tag(sync=True)

    def __init__(self, rows: Sequence[tuple[str, str, str, str]], kept: str) -> None:
        super().__init__(_answers=[list(row) for row in rows], _kept=kept)

    def __repr__(self) -> str:
        return STILL

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        self._cell.show()
        return {"text/plain": STILL, "text/markdown": f"*{STILL}*"} | view_of(self), {}
