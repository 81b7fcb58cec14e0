"""`upcall bench load`: many runs at once on a laptop cloud in bad weather, and what became of each."""
