"""`anchor report`, printed or as a page."""
