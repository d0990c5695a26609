"""The steps of `make demo`, in the order in which they are shown."""
