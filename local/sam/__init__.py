"""SAM local: the functions in their containers, on the local stack."""
