"""Music as it is written: real scores, and what sounds together in them."""
