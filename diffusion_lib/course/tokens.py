"""How the course looks: palette, dashes, marks and type, written once.

Four renderers read this file: matplotlib (`figures.style`), the stills of the widgets (through matplotlib), the
widgets' JavaScript (`javascript`) and style sheets (`variables`, for the widgets and for exported pages).

Every colour of `COLOURS` stands out from white, and every one of `COLOURS_ON_DARK` from the dark page, by at least
4.5 to 1 (WCAG 2, contrast of text). Each has a dash and a mark of its own, so that colour is never the only sign.
"""

import json
from collections.abc import Callable

COLOURS = ("#0066a6", "#c24e00", "#00755a", "#9a3f7d", "#555555", "#8a6d00")
COLOURS_ON_DARK = ("#62bdf0", "#f2a33c", "#35cfa3", "#e09cc6", "#c0c0c0", "#e6d25a")
DASHES = ((), (5, 2), (1.2, 1.6), (6, 1.6, 1.2, 1.6), (9, 3), (3, 1.5, 1.2, 1.5, 1.2, 1.5))  # in widths of the line
MARKS = ("circle", "square", "triangle")  # of clouds of points, in their order
LINE_WIDTH = 2.0  # pixels of the page
BROKEN = "#ff00ff"  # a pixel that is NaN or infinite: a colour that nothing else has

# Which of the colours a thing on a plot has; clouds, and bars of histograms, are listed in their order.
ROLES = {"cloud": (1, 2, 4), "bar": (0, 2, 3), "density": 0, "exact": 1, "path": 3}

# page: behind everything; text; quiet: ticks and remarks; rule: frames; grid: lines behind a plot;
# bars: of a histogram; code: behind code
LIGHT = {
    "page": "#ffffff",
    "text": "#212121",
    "quiet": "#555555",
    "rule": "#bdbdbd",
    "grid": "#e4e4e4",
    "bars": "#b3c8d8",
    "code": "#f8f9fa",
}
DARK = {
    "page": "#1b1b1b",
    "text": "#e6e6e6",
    "quiet": "#b8b8b8",
    "rule": "#5a5a5a",
    "grid": "#3a3a3a",
    "bars": "#4d6a80",
    "code": "#0d1117",
}

# Of the exercises' verdicts and hints. A notebook's saved HTML does not know its page's scheme, so these are of middle
# lightness: each stands out from the light pages and the dark ones by at least 3.5 to 1 (3 is asked of a sign).
VERDICTS = {"right": "#2e8b57", "not attempted": "#77777f", "not yet": "#cc4b37", "hint": "#3b82c4"}

FONT = "DejaVu Sans"  # of figures: it knows Greek, hats and bars, and matplotlib carries it
FONT_SIZE = 11  # points, in figures
FONT_STACK = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif'  # of widgets and pages
FONT_PIXELS = 13  # in widgets


def variables(*, dark: bool = False) -> str:
    """The declarations of the CSS variables `--dl-0` to `--dl-5`, `--dl-broken`, `--dl-page-colour` and the like.

    They stand in any rule: `:root {` + variables() + `}`. Type is only in the light ones, since it stays the same.
    """
    values = {f"{i}": colour for i, colour in enumerate(COLOURS_ON_DARK if dark else COLOURS)}
    values |= {f"{name}-colour": colour for name, colour in (DARK if dark else LIGHT).items()}
    if not dark:
        values |= {"broken": BROKEN, "font": FONT_STACK, "font-size": f"{FONT_PIXELS}px", "line": f"{LINE_WIDTH:g}px"}
    return " ".join(f"--dl-{name}: {value};" for name, value in values.items())


def page_style() -> str:
    """The variables of a whole page: light, dark as its reader's screen or choice is, and light on paper."""
    return f":root {{ {variables()} }}\n" + when_dark(lambda page: f"{page} {{ {variables(dark=True)} }}")


def when_dark(rules: Callable[[str], str]) -> str:
    """Style rules for dark pages, on screens: `rules(page)` gives them for a selector of the page's root element.

    A page's script writes into `data-theme` what its reader has chosen, or else the screen's scheme; without the script
    it is the screen's alone.
    """
    chosen, unscripted = rules(':root[data-theme="dark"]'), rules(":root:not([data-theme])")
    return f"@media screen {{ {chosen} }}\n@media screen and (prefers-color-scheme: dark) {{ {unscripted} }}"


def javascript() -> str:
    """The constant `TOKENS` for the widgets' JavaScript; dashes are in pixels there."""
    tokens = {
        "dashes": [[round(LINE_WIDTH * length, 2) for length in dash] for dash in DASHES],
        "lineWidth": LINE_WIDTH,
        "marks": MARKS,
        "roles": ROLES,
        "broken": BROKEN,
    }
    return f"const TOKENS = {json.dumps(tokens)};\n"
