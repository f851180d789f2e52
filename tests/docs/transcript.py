"""The demo's transcript in README.md: made from a real run, and compared with one.

python -m tests.docs.transcript    writes a new one into README.md
"""

import re
import subprocess
import sys

from tests.docs.examples import ROOT

README = ROOT / "README.md"
BEGIN, END = "<!-- transcript of om demo: begin -->\n```text\n", "```\n<!-- transcript of om demo: end -->\n"

_KEYS = r"station:[^ ]+"

NORMALISED = [
    (r"unix://\S+", "unix://SOCKET"),
    (r"\d[\d,.]*(?= (s|min|MB|kB|GB)\b)", "N"),
    (r"\bin N s\b", "in N s"),
    (r"\d[\d,]*(?= documents/s)", "N"),
    (r"(?<=^kill -9 )\d+: dead at [\d,]+", "PID: dead at N"),
    (r"(?<=^right: )[\d,]+, not yet converted: (?!0,)[\d,]+", "N, not yet converted: N"),
    (r"^(by +).*", r"\1HOLDER"),
    (r"^(documents +)[\d,]+(?= of )", r"\1N"),
    (r"^(values that did not convert +).*", r"\1N"),
    (r"^(server +).*", r"\1SERVER"),
    (r"(?<=has asked )[\d,]+(?= times)", "N"),
    (r"^  in the way: .*", "IN THE WAY"),
    # Which values serve as examples depends on the order in which the server hands out its keys.
    (rf"^  (\w\S*) .+ -> .+ {_KEYS}$", r"  \1 SAMPLE"),
    (rf"^  {_KEYS} .*", "EXAMPLE"),
    (r" +$", ""),
]
"""What may differ from run to run, and what stands for it when two runs are compared."""


def demo_output() -> str:
    """What `om demo` prints on stdout, in a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "redstart.cli.main", "demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.lstrip("\n")


def transcript_in_readme() -> str:
    """What stands in README.md."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def normalised(transcript: str) -> list[str]:
    """The lines, without what may differ from run to run."""
    lines = transcript.splitlines()
    for pattern, replacement in NORMALISED:
        lines = [re.sub(pattern, replacement, line) for line in lines]
    return lines


def write() -> None:
    """Put a new transcript into README.md."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    trimmed = "".join(f"{line.rstrip()}\n" for line in demo_output().splitlines())
    README.write_text(before + BEGIN + trimmed + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    write()
