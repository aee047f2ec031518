"""Load, decide, store, ring: each service in that order, over one open unit."""
