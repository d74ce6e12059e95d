"""The documents lead where they say: every relative link is a file, and every anchor a heading of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / name
    for name in subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "*.md"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Give the anchors of a document's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """No link to a file that is not there, to a heading that is not in it, or out of the tree."""
    broken = []
    for link in LINK.findall(FENCE.sub("", path.read_text())):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        is_there = target.is_relative_to(ROOT.resolve()) and target.exists()
        if not is_there or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_document_is_reached() -> None:
    """From the README, by links alone, one comes to every document of docs/."""
    seen, todo = set[Path](), [ROOT / "README.md"]
    while todo:
        path = todo.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        if path.suffix == ".md":
            links = LINK.findall(FENCE.sub("", path.read_text()))
            todo += [(path.parent / link.partition("#")[0]).resolve() for link in links if not link.startswith("http")]
    assert {path.resolve() for path in DOCUMENTS if path.is_relative_to(ROOT / "docs")} <= {
        path.resolve() for path in seen
    }


def test_every_line_of_the_log_is_documented() -> None:
    """What is logged at level info or above stands in docs/operations.md, and nothing that is not logged."""
    text = "".join(path.read_text() for path in (ROOT / "mcsdns").rglob("*.py"))
    logged = set(re.findall(r'(?:\blog|_log|get_logger\(\))\.(?:info|warning|error|exception)\(\s*"([^"]+)"', text))
    section = (ROOT / "docs" / "operations.md").read_text().partition("## Lines in the log\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE)
    assert {event for row in rows for event in re.findall(r"`([^`]+)`", row)} == logged
