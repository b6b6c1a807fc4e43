"""Runs the examples of a page of documentation: its `pycon` blocks, one after the other, as one session.

A block below `<!-- needs: jax -->` is left out where that package is not installed.
"""

from __future__ import annotations

import doctest
import importlib.util
import re
import sys
from pathlib import Path

BLOCK = re.compile(r"(?:<!-- needs: (?P<needs>\w+) -->\n)?^```pycon\n(?P<text>.*?)^```$", re.M | re.S)


def main() -> None:
    path = Path(sys.argv[1])
    page = path.read_text()
    blocks = [
        (page.count("\n", 0, found.start("text")), found["text"])
        for found in BLOCK.finditer(page)
        if found["needs"] is None or importlib.util.find_spec(found["needs"]) is not None
    ]
    parser, session = doctest.DocTestParser(), []
    for line, text in blocks:
        examples = parser.get_examples(text, path.name)
        for example in examples:
            example.lineno += line
        session += examples
    test = doctest.DocTest(session, {"__name__": "__main__"}, path.name, str(path), 0, page)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    runner.run(test, clear_globs=False)
    if runner.failures or not session:
        raise SystemExit(f"{runner.failures} of {len(session)} examples failed")
    print(len(session))


if __name__ == "__main__":
    main()
