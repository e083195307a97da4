"""A question whose answer is locked before it is shown: `Predict`. `course.predict` makes it."""

import zlib
from collections.abc import Callable, Sequence

import traitlets

from .base import WIDGETS, Widget, view_of


@WIDGETS.register
class Predict(Widget):
    """A question on the page, with the answers that were given to it.

    question: what `predict.js` reads; `label` stands over it in the place of "Prediction" and its id, and where its
    `answer` is None, none is shown. answers: those given before, oldest first; the first is the one that counts.
    still: the question in Markdown with its answer folded, for where nothing runs. plain: the question alone.
    record: called with each answer from the browser; returns why it is not kept, or "". kept: what is wrong with the
    record, or "". katex: KaTeX's JavaScript, if the question has formulas, or "".
    """

    _question = traitlets.Dict().tag(sync=True)
    _answers = traitlets.List(traitlets.Dict(), help="all answers, oldest first").tag(sync=True)
    _kept = traitlets.Unicode("", help="why answers are not kept, in a sentence").tag(sync=True)
    _katex = traitlets.Bytes(b"", help="what sets formulas, packed").tag(sync=True)

    def __init__(
        self,
        question: dict,
        *,
        answers: Sequence[dict],
        kept: str,
        still: str,
        plain: str,
        record: Callable[[dict], str],
        katex: str,
    ) -> None:
        self._still, self._plain, self._record = still, plain, record
        packed = zlib.compress(katex.encode()) if katex else b""
        super().__init__(_question=question, _answers=list(answers), _kept=kept, _katex=packed)
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return self._plain

    def _on_message(self, widget: object, content: dict, buffers: object) -> None:
        """The browser says that an answer was given."""
        if isinstance(given := content.get("given"), dict):
            self._kept = self._record(given)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        self._cell.show()
        return {"text/plain": self._plain, "text/markdown": self._still} | view_of(self), {}
