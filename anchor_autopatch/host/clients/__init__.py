"""One file for each HTTP client library: provider calls that no SDK made, where they are sent."""
