import pytest

from upcall.domain.trace_context import TraceContext, valid_traceparent

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
HEADER = f"00-{TRACE_ID}-{PARENT_ID}-01"
"""The example of https://www.w3.org/TR/trace-context/."""


def test_a_header_is_a_trace_a_parent_and_flags() -> None:
    context = TraceContext.parse(HEADER)

    assert context == TraceContext(trace_id=TRACE_ID, parent_id=PARENT_ID, flags=1)
    assert context.sampled
    assert context.traceparent == HEADER


def test_a_trace_that_is_not_sampled_says_so() -> None:
    context = TraceContext.parse(f"00-{TRACE_ID}-{PARENT_ID}-00")

    assert context is not None
    assert not context.sampled


@pytest.mark.parametrize(
    ("flags", "kept"), [("01", "01"), ("03", "03"), ("02", "02"), ("ff", "03"), ("fc", "00")]
)
def test_flags_that_nobody_has_defined_yet_are_ignored(flags: str, kept: str) -> None:
    assert valid_traceparent(f"00-{TRACE_ID}-{PARENT_ID}-{flags}") == f"00-{TRACE_ID}-{PARENT_ID}-{kept}"


@pytest.mark.parametrize(
    "header",
    [f"cc-{TRACE_ID}-{PARENT_ID}-01", f"01-{TRACE_ID}-{PARENT_ID}-01-what-the-future-will-be-like"],
)
def test_of_a_later_version_the_known_fields_are_taken(header: str) -> None:
    assert valid_traceparent(header) == HEADER


def test_blanks_around_a_header_do_not_matter() -> None:
    assert valid_traceparent(f" {HEADER}\t") == HEADER


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "traceparent",
        f"ff-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{PARENT_ID}-01-more",
        f"00-{TRACE_ID}-{PARENT_ID}-01-",
        f"00-{TRACE_ID}-{PARENT_ID}-01\n",
        f"01-{TRACE_ID}-{PARENT_ID}-01.more",
        f"00-{TRACE_ID.upper()}-{PARENT_ID}-01",
        f"00-{'0' * 32}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID[1:]}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{PARENT_ID}-1",
        f"00-{TRACE_ID}-{PARENT_ID}",
        f"0-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{PARENT_ID}-0x",
        f"{HEADER},{HEADER}",
        f"00-{'٤' * 32}-{PARENT_ID}-01",
    ],
)
def test_an_invalid_header_is_none(header: str | None) -> None:
    assert valid_traceparent(header) is None
