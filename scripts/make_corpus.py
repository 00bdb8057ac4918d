"""Make tests/corpus: one small file for every way to break a rule of the format, and golden files.

``make_corpus.py`` writes the invalid files, built byte by byte, so that they are the same on every run.
``make_corpus.py --golden`` also writes the golden files that are missing, which needs the package gen5 0.1.0.
Their bytes depend on the installed versions, so existing ones are kept.

The cases are in ``scripts/corpus``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(ROOT), str(ROOT / "tests")]

from corpus.invalid import write_invalid  # noqa: E402

CORPUS = ROOT / "tests" / "corpus"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=CORPUS, help="folder to write to (default: tests/corpus)")
    parser.add_argument("--golden", action="store_true", help="make the missing golden files")
    options = parser.parse_args()
    print(f"{write_invalid(options.out / 'invalid')} invalid files in {options.out / 'invalid'}")
    if options.golden:
        from corpus.golden import write_valid

        print(f"{write_valid(options.out / 'valid')} new golden files in {options.out / 'valid'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
