"""Benchmarks, each printing its result as a ratio to a baseline that it runs itself."""
