"""What each handler does: one module per handler, under its name. What a use case talks to is a parameter."""
