"""`anchor policy` and the corrections that release what it holds."""
