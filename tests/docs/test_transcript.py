"""docs/demo.md and docs/demo.svg show what the demo prints.

`make test` compares the page with a run on few documents, without the numbers, and computes those of the sample;
`make soak` compares it with a run on as many documents, with all numbers.
"""

import re

import pytest
from docs.generate_demo import excerpt, page_transcript, picture_text, run_demo
from docs.terminal import plain

from redstart.demo.live_reader import expected_answers
from redstart.demo.sample import generate
from tests.support.demo_run import NAME, DemoRun
from tests.support.servers import require_binaries
from tests.support.soak import SOAK

STALE = "run: python docs/generate_demo.py"

_KEYS = r"station:[^ ]+"

NORMALISED = [
    (r"unix://\S+", "unix://SOCKET"),
    (r"\d[\d,.]*(?= (s|min|MB|kB|GB)\b)", "N"),
    (r"\bin N s\b", "in N s"),
    (r"\d[\d,]*(?= documents/s)", "N"),
    (r"(?<=^\$ kill -9 )\d+", "PID"),
    (r"(?<=^Killed after )[\d,]+", "N"),
    (r"(?<=intact: )[\d,]+ are converted, (?!0 )[\d,]+", "N are converted, N"),
    (r"^(lease holder +).*", r"\1HOLDER"),
    (r"^(documents +)[\d,]+(?= of )", r"\1N"),
    (r"^(failed values +).*", r"\1N"),
    (r"(?<=^=> Background reader: )[\d,]+", "N"),
    (r"^  blocking: .*", "BLOCKING"),
    (r"(?<=one of these required fields has failed: ).*", "FIELDS"),
    # Which values serve as examples depends on the order in which the server returns its keys.
    (rf"^  (\w\S*) .+ -> .+ {_KEYS}$", r"  \1 SAMPLE"),
    (rf"^ +{_KEYS} .*", "EXAMPLE"),
]
"""What may differ from run to run, and what stands for it when two runs are compared."""


def normalised(transcript: str) -> list[str]:
    """Return the lines, each sentence of the demo in one, without what may differ from run to run."""
    lines = re.sub(r"\n {3}(?=\S)", " ", transcript).splitlines()
    for pattern, replacement in NORMALISED:
        lines = [re.sub(pattern, replacement, line) for line in lines]
    return lines


def words(transcript: str) -> list[str]:
    """Return the words without what depends on the number of documents: numbers, and the groups of failed values."""
    lines = [re.sub(r"\d[\d,.]*", "N", line) for line in normalised(transcript)]
    return " ".join(line for line in lines if line != "EXAMPLE" and not re.match(r" +N  \S", line)).split()


def typed_as_om(text: str) -> str:
    """Return the output of a demo as if it had been typed as `om demo`."""
    return re.sub(rf"\b{NAME} (?=migrate|demo\b|--)", "om ", text)


def test_the_page_shows_the_words_that_the_demo_prints(demo_run: DemoRun) -> None:
    assert words(page_transcript()) == words(typed_as_om(demo_run.stdout)), STALE


def test_the_page_shows_the_numbers_of_the_sample() -> None:
    sample = list(generate(20_000))
    dates = sum(len(document.expected) for document in sample)
    malformed = sum(len(document.dirty) for document in sample)
    shown = " ".join(page_transcript().split())
    assert f"{len(sample):,} documents, hashes and JSON, hold {dates:,} dates" in shown, STALE
    assert f" {malformed:,} values are malformed" in shown, STALE
    assert " ".join(expected_answers(sample)) in shown, STALE


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="the run that the page shows takes a minute: make soak")
def test_the_page_shows_what_the_demo_prints() -> None:
    require_binaries()
    assert normalised(page_transcript()) == normalised(plain(run_demo())), STALE


def test_the_picture_shows_what_the_page_shows() -> None:
    shown = excerpt(page_transcript().splitlines())
    assert picture_text() == "".join("".join(shown).split()), STALE
    assert any("0 differences" in line for line in shown)


def test_a_count_that_differs_is_seen() -> None:
    shown = page_transcript()
    assert "90,879" in shown
    assert normalised(shown.replace("90,879", "90,878")) != normalised(shown)


def test_a_word_that_differs_is_seen() -> None:
    shown = page_transcript()
    for one, other in (("intact", "fine"), ("om migrate-data verify", "om migrate-data stats")):
        assert one in shown
        assert words(shown.replace(one, other)) != words(shown)


def test_times_and_processes_may_differ() -> None:
    one = "$ kill -9 17\nKilled after 8,125 of 20,000 documents.\ntime    2.8 s, 7,082 documents/s"
    two = "$ kill -9 4711\nKilled after 9,001 of 20,000 documents.\ntime    12.1 s, 382 documents/s"
    assert normalised(one) == normalised(two)


def test_a_sentence_may_break_elsewhere() -> None:
    one = "=> Every value is intact: 9,999 are converted, 73,829\n   still have their bytes."
    two = "=> Every value is intact: 34,971 are converted,\n   48,857 still have their bytes."
    assert normalised(one) == normalised(two)
    assert normalised(one.replace("73,829", "0")) != normalised(one)
