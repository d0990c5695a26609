"""`anchor prices`: rate cards, tables and what a new one changes."""
