"""Figures anyone can repeat: `make bench`. Counts of storage calls first, then times beside the limit of the design."""
