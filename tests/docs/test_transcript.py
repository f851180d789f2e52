"""README.md shows what the demo really prints."""

from tests.docs.transcript import demo_output, normalised, transcript_in_readme
from tests.support.servers import require_binaries


def test_the_readme_shows_what_the_demo_prints() -> None:
    require_binaries()
    assert normalised(transcript_in_readme()) == normalised(demo_output())


def test_a_count_that_differs_is_seen() -> None:
    shown = transcript_in_readme()
    assert "83,565" in shown
    assert normalised(shown.replace("83,565", "83,564")) != normalised(shown)


def test_times_and_processes_may_differ() -> None:
    one = "kill -9 17: dead at 8,125 of 20,000 documents.\ntime    2.8 s, 7,082 documents/s"
    two = "kill -9 4711: dead at 9,001 of 20,000 documents.\ntime    12.1 s, 382 documents/s"
    assert normalised(one) == normalised(two)
