"""Destinations that receipts are shipped to, found by entry point."""
