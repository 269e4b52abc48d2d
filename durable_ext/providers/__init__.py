"""Storage: the contract, and one folder for each store that keeps it."""
