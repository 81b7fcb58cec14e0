"""SAM local: the functions in their containers, against the local stack."""
