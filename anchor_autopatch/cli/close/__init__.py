"""`anchor close` and its actions."""
