"""How a check's verdict looks in JupyterLab and on a phone: whole words, a mark, a colour."""

import json

import pytest
from lab import run_all

IMPORTS = "import torch\nfrom diffusion_lib.course import check"
ANSWERS = {
    "✓": "return alpha_bar[i].sqrt() * x0 + (1 - alpha_bar[i]).sqrt() * noise",
    "○": "...",
    "✗": "return alpha_bar[i] * x0 + (1 - alpha_bar[i]) * noise",
}
CELLS = [
    IMPORTS,
    *(f'def jump_to(x0, i, noise, alpha_bar):\n    {body}\n\ncheck("2.1", jump_to)' for body in ANSWERS.values()),
]
BROKEN_WORDS = """verdicts => verdicts.flatMap(verdict => {
    const texts = document.createTreeWalker(verdict, NodeFilter.SHOW_TEXT), broken = []
    while (texts.nextNode())
        for (const word of texts.currentNode.data.matchAll(/\\S+/g)) {
            const range = document.createRange()
            range.setStart(texts.currentNode, word.index)
            range.setEnd(texts.currentNode, word.index + word[0].length)
            if (new Set(Array.from(range.getClientRects(), r => r.top)).size > 1) broken.push(word[0])
        }
    return broken
})"""


@pytest.mark.parametrize(("view", "width"), [("lab", 1300), ("notebook", 400)])
def test_verdicts_keep_words_whole_and_differ_in_mark_and_colour(lab, page, view, width):
    name = f"verdicts-{view}.ipynb"
    lab.write(name, *CELLS)
    page.set_viewport_size({"width": 1300, "height": 1500})
    page.goto(lab.address(name))
    run_all(page, len(CELLS))
    if view == "notebook":  # a phone shows what was saved
        for _ in range(60):
            page.keyboard.press("Control+s")
            page.wait_for_timeout(500)
            if json.dumps(lab.call(f"contents/{name}")).count("border-left") == 3:
                break
        page.set_viewport_size({"width": width, "height": 1500})
        page.goto(lab.address(name, view))
    verdicts = page.locator(".jp-OutputArea-output div[style*=border-left]")
    verdicts.nth(2).wait_for()
    assert verdicts.count() == 3
    assert [text[0] for text in verdicts.all_inner_texts()] == list(ANSWERS)
    colours = verdicts.evaluate_all("all => all.map(v => getComputedStyle(v).borderLeftColor)")
    assert len(set(colours)) == 3
    assert verdicts.evaluate_all(BROKEN_WORDS) == []
    lines = verdicts.nth(2).evaluate(
        "v => v.getBoundingClientRect().height / parseFloat(getComputedStyle(v).lineHeight)"
    )
    assert lines > 1.5  # the long one is wrapped
    assert verdicts.evaluate_all("all => all.every(v => v.getBoundingClientRect().right <= innerWidth)")
    lab.stop_kernels()
