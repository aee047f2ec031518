"""Fault tests: real processes that are killed, stopped and lied to, and an oracle that counts what came of it."""
