"""Tokens, as the run API counts them."""

from upcall.domain.model import Model


class Usage(Model):
    """Tokens read and written. `total_tokens` is the server's own figure."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    usd: float | None = None

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
        )


NO_USAGE = Usage()
