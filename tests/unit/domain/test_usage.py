from upcall.domain.usage import Usage


def test_usage_adds_up() -> None:
    usage = Usage(input_tokens=1, output_tokens=2, total_tokens=3)

    assert usage + usage == Usage(input_tokens=2, output_tokens=4, total_tokens=6)
