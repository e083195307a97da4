"""Do the addresses in notebooks and documents still answer? Needs a network; run by hand or weekly, not by pytest.

    python tests/check_links.py

Prints every address that gives an error, with the files that name it; exits with 1 if there is one. What a server refuses to
machines (403, 429) is told apart from what is gone.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
ADDRESS = re.compile(r"https?://[^\s)\"'<>`\\\]]+")
REFUSED = (401, 403, 405, 406, 418, 429, 999)


def addresses() -> dict[str, set[str]]:
    """Every address, and the files that it stands in."""
    where = defaultdict(set)
    for path in [*ROOT.glob("*.md"), *ROOT.glob("assets/*.md"), *ROOT.glob("notebooks/*")]:
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            text = "\n".join("".join(cell["source"]) for cell in cells)
        elif path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
        else:
            continue
        for address in ADDRESS.findall(text):
            where[address.rstrip(".,;:").partition("#")[0]].add(str(path.relative_to(ROOT)))
    return where


def answer(address: str) -> str:
    """'' if the address answers, else what is wrong."""
    request = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0 (link check)"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        return f"{'refused to machines' if error.code in REFUSED else 'GONE'}: {error.code}"
    except (OSError, ValueError) as error:
        return f"GONE: {error}"
    return ""


def main() -> int:
    where = addresses()
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(where, pool.map(answer, where), strict=True))
    for address, text in answers.items():
        if text:
            print(f"{address}: {text} ({', '.join(sorted(where[address]))})")
    gone = sum(text.startswith("GONE") for text in answers.values())
    print(f"{len(where)} addresses, {gone} gone")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
