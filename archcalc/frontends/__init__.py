"""Ways into archcalc: what a user names, and each source that a network may come from."""
