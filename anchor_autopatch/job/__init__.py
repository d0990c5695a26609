"""The job half: outboxes to warehouse, usage to money, money to the invoice."""
