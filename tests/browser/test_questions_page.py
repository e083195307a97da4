"""Predictions in a browser: an answer is locked, shown, kept and counted, in JupyterLab and on an exported page."""

import json
import os

import nbformat
import pytest
from lab import run_all, watch
from nbclient import NotebookClient

from diffusion_lib.course.pages import page_of
from diffusion_lib.course.questions.counts import count

CELLS = [
    "from diffusion_lib.course import predict, predictions",
    'predict("2.3", "What is left after 300 steps?", choices=["about 97 %", "about 70 %", "about 40 %"], answer=2,\n'
    '        because="Three hundred steps multiply.")',
    'predict("2.4", r"What is the variance of $x_t$?", choices=[r"$1-\\bar\\alpha_t$", r"$\\beta_t$"], answer=0,\n'
    '        because=r"Variances *add*, so it is `1 - alpha_bar`, or $1-\\prod\\alpha_i$.")',
    'predict("2.5", "How many nats?", answer=0.42, within=0.1, unit="nats", because="It falls quickly.")',
    "predictions()",
]
CONTRAST = """node => {
    const channels = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (rgb) => rgb.slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const behind = (node) => {
        for (; node; node = node.parentElement) {
            const colour = channels(getComputedStyle(node).backgroundColor);
            if (colour[3] !== 0) return light(colour);
        }
        return 1;
    };
    return [...node.querySelectorAll("*")].filter(part => part.checkVisibility() && !part.closest(".katex-mathml")
        && [...part.childNodes].some(child => child.nodeType === 3 && child.data.trim())).map(part => {
        const [a, b] = [light(channels(getComputedStyle(part).color)), behind(part)];
        return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), part.textContent];
    });
}"""


def question(page, id):
    return page.locator(f'[data-prediction="{id}"]')


def answer(page, id, choice, level):
    """Choose (the choice of a place, or a number that is typed), and say how sure one is."""
    place = question(page, id)
    if isinstance(choice, int):
        place.locator("input[type=radio]").nth(choice).check()
    else:
        place.locator("input[type=text]").fill(choice)
    place.get_by_role("button", name=level, exact=True).click()


def revealed(page, id):
    return question(page, id).locator(".dl-reveal").inner_text()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The exported page of a notebook with three predictions, whose author had answered one."""
    folder = tmp_path_factory.mktemp("predictions")
    line = {
        "kind": "prediction",
        "id": "2.3",
        "at": "",
        "value": {"answer": "about 97 %", "sure": "sure", "right": False},
    }
    (folder / "progress.jsonl").write_text(json.dumps(line) + "\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    environment = {**os.environ, "DIFFUSION_PROGRESS": str(folder / "progress.jsonl")}
    NotebookClient(notebook, timeout=300).execute(env=environment)
    state = json.dumps(notebook.metadata["widgets"])
    assert '"right": false' in state  # the notebook's widgets know the author's answer, and the page must not
    path = folder / "page.html"
    path.write_text(page_of(notebook, "page").html)
    return path


@pytest.fixture
def opened(browser, file):
    """Open the exported page, offline; every call has a browser's storage of its own, unless it is given a context."""
    contexts = []

    def opened(width=1300, scheme="light", context=None, before=None):
        if context is None:
            context = browser.new_context(
                viewport={"width": width, "height": 1200}, color_scheme=scheme, is_mobile=width < 500, offline=True
            )
            contexts.append(context)
        page = context.new_page()
        watch(page)
        if before:
            page.add_init_script(before)
        page.goto(file.as_uri())
        page.wait_for_selector(".dl-score")
        return page

    yield opened
    for context in contexts:
        context.close()


# --- exported pages -----------------------------------------------------------------------------


def test_nothing_is_answered_at_first_and_no_answer_shows(opened):
    page = opened()
    assert "none of 3 predictions" in page.locator(".dl-score").inner_text()
    assert page.locator("input:checked").count() == 0 and page.locator("input:disabled").count() == 0
    main = "".join(page.locator(".dl-predict").all_inner_texts())
    assert "multiply" not in main and "✓" not in main and "Answer anew" not in main
    assert page.errors == []


def test_saying_how_sure_one_is_locks_the_answer_and_shows_the_right_one(opened):
    page = opened()
    question(page, "2.3").get_by_role("button", name="sure", exact=True).click()
    assert revealed(page, "2.3") == "Choose an answer first."
    question(page, "2.3").get_by_label("about 97 %").check()
    assert question(page, "2.3").locator("input:disabled").count() == 0  # choosing alone can still be changed
    answer(page, "2.3", 1, "fairly sure")
    assert revealed(page, "2.3") == (
        "○ Not this time: you said about 70 % (fairly sure); it is about 40 %. Three hundred steps multiply."
    )
    marks = question(page, "2.3").locator(".dl-choice").all_inner_texts()
    assert [" ".join(mark.split()) for mark in marks] == [
        "about 97 %",
        "about 70 % your choice",
        "about 40 % ✓ the answer",
    ]
    assert question(page, "2.3").locator("input:disabled").count() == 3
    assert question(page, "2.3").locator(".dl-level").first.is_hidden()
    answer(page, "2.4", 0, "sure")
    assert revealed(page, "2.4").startswith("✓ Right: you said")
    assert page.errors == []


@pytest.mark.parametrize(
    "typed, said",
    [
        ("0.42", "✓ Right: you said 0.42 nats (sure). It falls"),
        ("0,5", "✓ Right: you said 0.5 nats (sure), near enough to 0.42 nats. It falls"),
        ("0.52", "✓ Right: you said 0.52 nats"),
        (" 5.2e-1 nats ", "✓ Right: you said 0.52 nats"),
        (".531", "○ Not this time: you said 0.531 nats (sure); it is 0.42 nats. It falls"),
        ("−0.42", "○ Not this time: you said −0.42 nats"),
        ("much", "That is not a number yet: type one, such as 0.42."),
        ("", "That is not a number yet"),
        ("1.2.3", "That is not a number yet"),
    ],
)
def test_numbers_are_typed_as_people_type_them(opened, typed, said):
    page = opened()
    answer(page, "2.5", typed, "sure")
    assert revealed(page, "2.5").startswith(said)
    assert question(page, "2.5").locator("input:disabled").count() == ("That" not in said)
    assert page.errors == []


def test_a_reload_keeps_the_answers_and_another_page_does_not_know_them(opened, file):
    page = opened()
    answer(page, "2.3", 0, "sure")
    answer(page, "2.5", "0.4", "guessing")
    page.reload()
    page.wait_for_selector(".dl-score")
    assert revealed(page, "2.3").startswith("○ Not this time: you said about 97 % (sure)")
    assert question(page, "2.5").locator("input").input_value() == "0.4"
    assert question(page, "2.4").locator("input:disabled").count() == 0
    other = file.with_name("other.html")
    other.write_text(file.read_text())
    page.goto(other.as_uri())
    page.wait_for_selector(".dl-score")
    assert page.locator("input:disabled").count() == 0
    assert page.errors == []


def test_a_second_answer_is_said_and_does_not_count(opened):
    page = opened()
    answer(page, "2.3", 0, "sure")
    place = question(page, "2.3")
    place.get_by_role("button", name="Answer anew").click()
    assert place.locator("input:checked").count() == 0 and revealed(page, "2.3") == ""
    answer(page, "2.3", 2, "sure")
    assert "✓ Right: you said about 40 %" in revealed(page, "2.3")
    assert "Your first answer is the one that counts: about 97 % (sure), not right." in revealed(page, "2.3")
    score = page.locator(".dl-score").inner_text()
    assert "You answered 1 of 3 predictions, and 0 were right." in score and "1 later answer not counted" in score
    stored = page.evaluate("JSON.parse(Object.values(localStorage)[0])")
    assert [entry["right"] for entry in stored["2.3"]] == [False, True]


def test_the_summary_counts_as_python_does(opened):
    page = opened()
    answer(page, "2.3", 0, "sure")
    answer(page, "2.4", 0, "sure")
    answer(page, "2.5", "0.4", "guessing")
    stored = page.evaluate("JSON.parse(Object.values(localStorage)[0])")
    counts = count(["2.3", "2.4", "2.5"], stored)
    assert (counts.right, counts.surprising) == (2, ("2.3",))
    score = page.locator(".dl-score")
    assert (
        f"You answered {counts.answered} of {counts.asked} predictions, and {counts.right} were right"
        in score.inner_text()
    )
    rows = [" ".join(row.split()) for row in score.locator("tr").all_inner_texts()]
    assert rows == [f"{level} {right} of {n} right" for level, (n, right) in counts.by_level.items() if n]
    assert (
        score.locator("tr").first.locator(".dl-hit").count()
        == score.locator("tr").first.locator(".dl-miss").count()
        == 1
    )
    assert "You were sure here" in score.inner_text() and score.locator("li").all_inner_texts() == [
        "2.3 – What is left after 300 steps?"
    ]
    assert page.errors == []


def test_what_is_not_answered_is_listed_and_led_to(opened):
    page = opened()
    answer(page, "2.4", 1, "guessing")
    links = page.locator(".dl-score .dl-link")
    assert links.all_inner_texts() == ["2.3 – What is left after 300 steps?", "2.5 – How many nats?"]
    links.nth(1).click()
    assert page.evaluate("document.activeElement.closest('.dl-predict').dataset.prediction") == "2.5"


def test_the_keyboard_alone_is_enough_and_focus_is_seen(opened):
    page = opened()
    keys = page.keyboard
    question(page, "2.3").locator("input").first.focus()
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    focus = "(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + parseFloat(s.outlineWidth); })()"
    assert page.evaluate(focus) == "solid2"
    assert question(page, "2.3").locator("input:checked").get_attribute("value") == "2" and revealed(page, "2.3") == ""
    for _ in range(3):
        keys.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "sure" and page.evaluate(focus) == "solid2"
    keys.press("Space")
    assert revealed(page, "2.3").startswith("✓ Right")
    assert page.evaluate("document.activeElement.className") == "dl-reveal"
    keys.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Answer anew"
    question(page, "2.5").locator("input").focus()
    page.keyboard.type("0.9")
    keys.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "guessing"
    keys.press("Enter")
    assert "you said 0.9 nats (guessing)" in revealed(page, "2.5")
    assert page.errors == []


def test_assistive_technology(opened):
    page = opened()
    place = question(page, "2.3")
    assert (
        place.get_by_role("group", name="Prediction 2.3 What is left after 300 steps?")
        .locator("input[type=radio]")
        .count()
        == 3
    )
    assert page.get_by_role("radio", name="about 70 %").count() == 1
    assert (
        place.get_by_role("group", name="How sure are you? This locks your answer.").get_by_role("button").count() == 3
    )
    assert page.get_by_role("textbox", name="Your answer").count() == 1
    assert place.get_by_role("status").count() == 1  # a live region, there before it speaks
    answer(page, "2.3", 1, "sure")
    assert "Not this time" in place.get_by_role("status").inner_text()


def test_formulas_are_set(opened):
    page = opened()
    assert question(page, "2.4").locator(".katex").count() == 3
    answer(page, "2.4", 1, "sure")
    place = question(page, "2.4")
    assert "$" not in place.inner_text() and place.locator(".dl-reveal .katex").count() == 3
    assert (
        place.locator(".dl-reveal em").inner_text() == "add" and place.locator("code").inner_text() == "1 - alpha_bar"
    )
    assert page.errors == []


def test_a_browser_that_keeps_nothing_says_so(opened):
    page = opened(before="Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no'); } })")
    answer(page, "2.3", 2, "sure")
    assert revealed(page, "2.3").startswith("✓ Right")
    assert "keeps nothing" in question(page, "2.3").inner_text()
    assert "You answered 1 of 3" in page.locator(".dl-score").inner_text()
    assert page.errors == []


@pytest.mark.parametrize("broken", ["{", "[1]", "null", '{"2.3": [{"answer": "gone", "sure": "sure"}], "2.4": 3}'])
def test_what_the_browser_kept_wrongly_is_put_aside(opened, broken):
    page = opened()
    page.evaluate("text => localStorage.setItem(`diffusion_lib answers ${location.pathname}`, text)", broken)
    page.reload()
    page.wait_for_selector(".dl-score")
    answer(page, "2.3", 2, "sure")
    page.reload()
    page.wait_for_selector(".dl-score")
    assert revealed(page, "2.3").startswith("✓ Right")
    assert "You answered 1 of 3" in page.locator(".dl-score").inner_text()
    assert page.errors == []
    if "2.3" not in broken and broken != "null":  # what cannot be read at all stays, under another name
        assert broken in page.evaluate("Object.values(localStorage)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1300])
def test_it_fits_and_is_legible(opened, width, scheme):
    page = opened(width, scheme)
    for locked in (False, True):
        if locked:
            answer(page, "2.3", 0, "sure")
            answer(page, "2.4", 0, "sure")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for place in page.locator(".dl-predict, .dl-score").all():
            box = place.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            contrasts = place.evaluate(CONTRAST)
            assert contrasts and min(contrasts)[0] >= 4.5, min(contrasts)


def test_without_javascript_the_answer_is_folded(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("[data-diffusion-widget] details").count() == 3
    reason = page.get_by_text("Three hundred steps multiply.").last
    assert not reason.is_visible() and page.locator("li", has_text="about 70 %").is_visible()
    assert "Here stands, once you have answered" in page.locator("main").inner_text()
    context.close()


# --- JupyterLab ---------------------------------------------------------------------------------


@pytest.fixture
def record(monkeypatch, lab):
    """The record of the lab's kernels, empty: they inherit its place from the tests."""
    file = os.environ["DIFFUSION_PROGRESS"]
    if os.path.exists(file):
        os.remove(file)
    return file


def run_cell(page, text):
    """Run one cell, and wait until it has run."""
    cell = page.locator(".jp-CodeCell").filter(has_text=text).first
    before = cell.locator(".jp-InputPrompt").inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "([node, old]) => node.textContent !== old && /\\d/.test(node.textContent)",
        arg=[cell.locator(".jp-InputPrompt").element_handle(), before],
    )


def test_in_jupyterlab_an_answer_is_kept_when_the_cell_runs_again(run, record, lab):
    page = run("predictions.ipynb", *CELLS)
    page.wait_for_selector(".dl-score")
    cells = page.locator(".jp-Cell").count()
    answer(page, "2.3", 0, "sure")
    assert "it is about 40 %" in revealed(page, "2.3")
    page.keyboard.type(
        "xb"
    )  # the focus is on what was revealed, where JupyterLab's shortcuts would cut the cell, and add one
    page.wait_for_timeout(500)
    assert page.locator(".jp-Cell").count() == cells and "it is about 40 %" in revealed(page, "2.3")
    question(page, "2.5").locator("input").focus()
    page.keyboard.type("0.4")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert "you said 0.4 nats (guessing), near enough" in revealed(page, "2.5")
    page.wait_for_function("document.querySelector('.dl-score').innerText.includes('answered 2 of 3')")
    assert page.locator(".jp-Cell").count() == cells
    run_cell(page, 'predict("2.3"')
    page.wait_for_function("document.querySelectorAll('[data-prediction=\"2.3\"].dl-locked').length === 1")
    assert "you said about 97 % (sure)" in revealed(page, "2.3")
    question(page, "2.3").get_by_role("button", name="Answer anew").click()
    answer(page, "2.3", 2, "guessing")
    page.wait_for_function("document.querySelector('.dl-score').innerText.includes('1 later answer')")
    with open(record) as file:
        values = [json.loads(line)["value"] for line in file]
    assert [(value["answer"], value["right"]) for value in values] == [
        ("about 97 %", False),
        (0.4, True),
        ("about 40 %", True),
    ]
    assert page.errors == []

    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    text = (lab.folder / "predictions.ipynb").read_text()
    assert (
        "text/markdown" in text and "widget-view" not in text and "fairly sure" not in text and "guessing" not in text
    )


def test_in_jupyterlab_formulas_are_set_and_a_new_kernel_knows_the_answer(run, record, lab, page):
    run("formulas.ipynb", *CELLS)
    page.wait_for_function("document.querySelectorAll('[data-prediction=\"2.4\"] math').length === 3")
    answer(page, "2.4", 0, "fairly sure")
    page.wait_for_function("document.querySelectorAll('[data-prediction=\"2.4\"] .dl-reveal math').length === 2")
    assert "$" not in question(page, "2.4").inner_text()
    page.wait_for_function("document.querySelector('.dl-score').innerText.includes('answered 1 of 3')")
    lab.stop_kernels()
    page.goto(lab.write("again.ipynb", *CELLS))
    run_all(page, len(CELLS))
    page.wait_for_selector('[data-prediction="2.4"].dl-locked')
    assert "✓ Right" in revealed(page, "2.4")
    page.locator(".dl-score .dl-link").first.click()
    assert page.evaluate("document.activeElement.closest('.dl-predict').dataset.prediction") == "2.3"
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.get_by_text("Settings", exact=True).click()
        page.get_by_text("Theme", exact=True).hover()
        page.get_by_text(theme, exact=True).click()
        page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str('Light' in theme).lower()}'")
        page.wait_for_timeout(500)
        for place in page.locator(".dl-predict, .dl-score").all():
            contrasts = place.evaluate(CONTRAST)
            assert min(contrasts)[0] >= 4.5, (theme, min(contrasts))
    session = lab.call("sessions")[0]
    lab.call(f"kernels/{session['kernel']['id']}/restart", "POST")
    page.wait_for_timeout(3000)
    answer(page, "2.5", "0.4", "sure")  # what is on the page answers without the kernel that made it
    assert "✓ Right" in revealed(page, "2.5")
    assert page.errors == []


# --- what speaks against a wrong choice ----------------------------------------------------------


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """The exported page of a question of notebook 12, whose wrong causes have a sentence each."""
    path = tmp_path_factory.mktemp("rooms") / "page.html"
    sources = ["from diffusion_lib.course import predict", 'predict("12.2")']
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=300).execute()
    path.write_text(page_of(notebook, "page").html)
    return path


@pytest.mark.parametrize("choice, here, there", [(0, True, 2), (1, False, 3)])
def test_a_wrong_choice_is_told_what_speaks_against_it(browser, rooms, choice, here, there):
    page = browser.new_context(viewport={"width": 375, "height": 1200}, offline=True).new_page()
    watch(page)
    page.goto(rooms.as_uri())
    assert "Uniform noise has" not in page.locator(".dl-predict").inner_text()
    answer(page, "12.2", choice, "sure")
    said = revealed(page, "12.2")
    assert ("Why not yours? Uniform noise has a mean of 0.5" in said) is here
    others = question(page, "12.2").locator(".dl-reveal details")
    assert others.locator("li").count() == there and others.locator("li").first.is_hidden()
    others.locator("summary").click()
    assert "jump: a variance where" in others.inner_text() and "whatever its factor." in others.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and page.errors == []
    page.context.close()
