"""`anchor invoices`: what the providers ask for, and what it is worth in USD."""
