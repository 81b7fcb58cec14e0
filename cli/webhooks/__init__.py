"""The webhook endpoint of a stack at OpenAI, and its signing secret."""
