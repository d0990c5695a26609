"""What runs inside the application's process.

Standard library only at start-up, silent, never in the way.
"""
