"""What the hook costs: every figure is a ratio of hooked to bare, measured in turns in one run."""
