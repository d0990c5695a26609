"""What `anchor doctor` looks at: one module for each kind of thing that can go wrong."""
