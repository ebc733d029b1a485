"""Where a sweep runs: this machine so far."""
