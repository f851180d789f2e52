"""The documentation site: it builds strictly, has every public name, and fits a desktop and a phone."""

import inspect
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from json import loads
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import yaml
from docs.site_hooks import PAGES

import redstart
import redstart.aio
import redstart.errors
import redstart.operations
import redstart.testing

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
WIDTHS = {"desktop": 1280, "phone": 390}

# Opens each page in a frame of each width, and reports the pages that are wider than the frame or have no heading.
PROBE = """<!doctype html><body><script>
const pages = %s, widths = %s;
async function look(page, width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:800px;border:0`;
  const loaded = new Promise(resolve => { frame.onload = resolve; });
  frame.src = page;
  document.body.append(frame);
  await loaded;
  const root = frame.contentDocument.documentElement;
  const heading = frame.contentDocument.querySelector("article h1");
  const result = {page, width, overflow: root.scrollWidth - width, heading: heading ? heading.innerText : ""};
  frame.remove();
  return result;
}
(async () => {
  const results = [];
  for (const page of pages) for (const width of widths) results.push(await look(page, width));
  await fetch("/results", {method: "POST", body: JSON.stringify(results)});
})();
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the built site. A warning of any part of the build is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        check=False,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_reference_has_every_public_name(site: Path) -> None:
    names = {
        f"redstart.errors.{name}" for name in dir(redstart.errors) if name.endswith(("Error", "Warning"))
    }
    for package in (redstart, redstart.aio, redstart.operations, redstart.testing):
        for name in set(package.__all__) - {"redis", "TypedDict"}:
            # Errors are the same classes in each package: one page has them.
            names.add(
                f"redstart.errors.{name}" if hasattr(redstart.errors, name) else f"{package.__name__}.{name}"
            )
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").rglob("*.html"))
    assert [name for name in sorted(names) if f'id="{name}"' not in text] == []


def test_every_public_name_has_a_docstring() -> None:
    undocumented = []
    for package in (redstart, redstart.aio, redstart.operations, redstart.testing):
        for name in package.__all__:
            value = getattr(package, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            parts = [(name, value)]
            if inspect.isclass(value):
                parts += [
                    (f"{name}.{part}", member)
                    for part, member in vars(value).items()
                    if not part.startswith("_") and inspect.isfunction(member)
                ]
            undocumented += [
                f"{package.__name__}.{part}" for part, member in parts if not inspect.getdoc(member)
            ]
    assert undocumented == []


def test_pages_make_no_request_to_another_host(site: Path) -> None:
    loading = ('src="http', "src='http", 'rel="stylesheet" href="http', "@import url(http")
    pages = [
        page
        for page in site.rglob("*.html")
        if any(part in page.read_text(encoding="utf-8") for part in loading)
    ]
    assert pages == []


@pytest.mark.sample(0)
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
def test_pages_fit_a_desktop_and_a_phone(site: Path, tmp_path: Path) -> None:
    pages = [f"/{page.relative_to(site)}" for page in sorted(site.rglob("*.html")) if page.name != "404.html"]
    assert len(pages) > 30
    with (
        served(site, PROBE % (pages, list(WIDTHS.values()))) as (url, results),
        browser(f"{url}/probe", tmp_path),
    ):
        looks = loads(results.get(timeout=300))
    assert len(looks) == len(pages) * len(WIDTHS)
    assert [look for look in looks if look["overflow"] > 0 or not look["heading"]] == []


@contextmanager
def served(folder: Path, probe: str) -> Iterator[tuple[str, "Queue[str]"]]:
    """Serve a folder and, at /probe, a page; the queue gets what that page posts."""
    results: Queue[str] = Queue()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/probe":
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(probe.encode())

        def do_POST(self) -> None:
            results.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", results
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def browser(url: str, profile: Path) -> Iterator[None]:
    """Open a page in headless Chromium."""
    assert CHROMIUM is not None
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with subprocess.Popen(
        # A debugging port keeps the headless browser open.
        [CHROMIUM, *options, "--remote-debugging-port=0", f"--user-data-dir={profile}", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, 9)


def test_the_lists_of_pages_agree() -> None:
    """A page is in the same section in docs/README.md and in the navigation of the site."""
    navigation = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)["nav"]
    sections = {name: set(_pages(part)) for entry in navigation for name, part in entry.items()}
    text = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        links = re.findall(r"\]\(([^)#]+\.md)\)", body)
        pages = {PAGES.get(link.removeprefix("../"), link) for link in links}
        assert pages - sections[title] == set(), title


def _pages(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    else:
        for item in part if isinstance(part, list) else part.values():
            yield from _pages(item)
