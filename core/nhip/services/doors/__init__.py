"""What knocks from outside: providers, other systems, callers, and customers who rate."""
