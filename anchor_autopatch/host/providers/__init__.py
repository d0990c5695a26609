"""One file for each SDK family: what to patch there, and how to read its requests and answers."""
