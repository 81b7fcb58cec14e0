"""Tokens, as the run API counts them, and what they cost."""

from upcall.domain.model import Model


class Usage(Model):
    """Tokens read and written. `total_tokens` is the server's own figure.

    `cached_tokens` are those of the input that the server had cached, `cache_write_tokens` those that it has
    cached for later, `reasoning_tokens` those of the output that are no text. `usd` is what they cost in
    dollars; None if no price is known for the model.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    usd: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no tokens were used."""
        return not (self.input_tokens or self.output_tokens or self.total_tokens)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            usd=_sum_of_costs(self, other),
        )


def _sum_of_costs(one: Usage, other: Usage) -> float | None:
    """What both cost. What used no tokens costs nothing; one without a known price leaves the sum unknown."""
    if one.is_empty:
        return other.usd
    if other.is_empty:
        return one.usd
    return None if one.usd is None or other.usd is None else round(one.usd + other.usd, 9)


NO_USAGE = Usage()
