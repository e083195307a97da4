"""How a check's verdict looks in JupyterLab and on a phone: whole words, a mark, a colour."""

import json

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


def check_looks(page, *, wrapped):
    """Three verdicts, each with its mark and a colour of its own, no word broken, nothing beyond the window."""
    verdicts = page.locator(".jp-OutputArea-output div[style*=border-left]")
    verdicts.nth(2).wait_for()
    assert [text[0] for text in verdicts.all_inner_texts()] == list(ANSWERS)
    assert len(set(verdicts.evaluate_all("all => all.map(v => getComputedStyle(v).borderLeftColor)"))) == 3
    assert verdicts.evaluate_all(BROKEN_WORDS) == []
    assert verdicts.evaluate_all("all => all.every(v => v.getBoundingClientRect().right <= innerWidth)")
    lines = "v => Math.round(v.getBoundingClientRect().height / parseFloat(getComputedStyle(v).lineHeight))"
    assert verdicts.nth(2).evaluate(lines) >= wrapped


def test_verdicts_keep_words_whole_and_differ_in_mark_and_colour(run, lab, page):
    """In JupyterLab as it runs, and on a phone, in Notebook, as it was saved."""
    name = "verdicts.ipynb"
    page.set_viewport_size({"width": 1300, "height": 1500})
    run(name, *CELLS)
    check_looks(page, wrapped=2)
    for _ in range(60):
        page.keyboard.press("Control+s")
        page.wait_for_timeout(500)
        if json.dumps(lab.call(f"contents/{name}")).count("border-left") == len(ANSWERS):
            break
    page.set_viewport_size({"width": 400, "height": 1500})
    page.goto(lab.address(name, "notebook"))
    check_looks(page, wrapped=4)
