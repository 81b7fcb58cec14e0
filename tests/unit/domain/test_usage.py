from upcall.domain.usage import NO_USAGE, Usage

KNOWN = Usage(input_tokens=1, total_tokens=1, usd=0.25)
UNKNOWN = Usage(input_tokens=1, total_tokens=1)


def test_usage_adds_up() -> None:
    usage = Usage(
        input_tokens=5,
        cached_tokens=4,
        cache_write_tokens=1,
        output_tokens=3,
        reasoning_tokens=2,
        total_tokens=8,
        usd=0.000_000_1,
    )

    assert usage + usage == Usage(
        input_tokens=10,
        cached_tokens=8,
        cache_write_tokens=2,
        output_tokens=6,
        reasoning_tokens=4,
        total_tokens=16,
        usd=0.000_000_2,
    )


def test_what_used_no_tokens_leaves_the_cost_as_it_is() -> None:
    assert (NO_USAGE + KNOWN).usd == (KNOWN + NO_USAGE).usd == 0.25
    assert (NO_USAGE + UNKNOWN).usd is (UNKNOWN + NO_USAGE).usd is None


def test_one_turn_without_a_known_price_leaves_the_sum_unknown() -> None:
    assert (KNOWN + UNKNOWN).usd is (UNKNOWN + KNOWN).usd is None


def test_costs_are_added_without_the_errors_of_binary_fractions() -> None:
    tenth = Usage(input_tokens=1, usd=0.1)

    assert (tenth + tenth + tenth).usd == 0.3
