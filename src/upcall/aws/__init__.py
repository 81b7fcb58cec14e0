"""The AWS services that Upcall uses, one module each."""
