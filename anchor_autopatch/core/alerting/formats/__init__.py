"""One module for each kind of sink: what an alert looks like there."""
