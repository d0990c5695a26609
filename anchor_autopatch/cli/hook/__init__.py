"""`anchor host`: the hook in other interpreters."""
