"""Hooks of the documentation site: pages of the repository outside docs/ become pages of the site, with their links."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/fastapi_app/README.md": "fastapi-example.md",
}
"""Pages outside docs/ by their path in the repository, with their path on the site."""

SOURCES = {page: source for source, page in PAGES.items()}
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are outside docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def title_of(path: str) -> str:
    """Return the heading of a page: on the site it stands for the name of the file as the text of a link."""
    first = (ROOT / path).read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# ")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at the pages of the site. A link to another file of the repository becomes text."""
    here = page.file.src_uri
    source = PurePosixPath(SOURCES.get(here, f"docs/{here}"))

    def moved(match: re.Match[str]) -> str:
        text, path, anchor = match.groups()
        target = normpath(source.parent / path)
        # The README of the repository is the first page for a reader of the repository; the site has its own.
        target = "docs/README.md" if target == "README.md" else target
        place = PAGES.get(target, target.removeprefix("docs/"))
        file = files.get_file_from_path(place)
        if (file is None or file.inclusion.is_excluded()) and (ROOT / target).exists():
            return text
        if text.endswith(".md"):
            text = title_of(target)
        return f"[{text}]({relpath(place, PurePosixPath(here).parent)}{anchor or ''})"

    return _LINK.sub(moved, markdown)
