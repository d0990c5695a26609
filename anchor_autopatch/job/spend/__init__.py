"""What spending says about itself: budgets, unusual hours, retries that cost and bring nothing."""
