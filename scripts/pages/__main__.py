"""Write every page of the repository that shows figures anew, from the records in docs/results; `make tables` calls it.

    python -m scripts.pages

A page's own text is written by hand and says nothing that was measured or cited: results stand in blocks between two comments,
which this command fills. Nothing is trained.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from radar.files import write_text
from scripts.command_line import guarded
from scripts.pages import diffusion, export, methods, performance, photos, quality, readme, report, tables, trust
from scripts.pages.committed import DOCS, ROOT
from scripts.pages.sections import Sections, page_with

PAGES: dict[Path, Callable[[], Sections]] = {
    ROOT / "README.md": readme.sections,
    DOCS / "export.md": export.sections,
    DOCS / "methods.md": methods.sections,
    DOCS / "performance.md": performance.sections,
    DOCS / "photos.md": photos.sections,
    DOCS / "quality.md": quality.sections,
    DOCS / "report.md": report.sections,
    DOCS / "trust.md": trust.sections,
    DOCS / "what_diffusion_contributes.md": diffusion.sections,
}


def texts() -> dict[Path, str]:
    """What every page is to hold."""
    filled = {path: page_with(path.read_text(encoding="utf-8"), sections()) for path, sections in PAGES.items()}
    return {tables.TABLES: tables.text(), **filled}


def main() -> int:
    """Write the pages that differ; returns the exit code."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for path, text in texts().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            print(f"written: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
