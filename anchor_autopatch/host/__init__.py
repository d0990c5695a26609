"""What runs inside the application's process: standard library only at start-up, silent, never in the way."""
