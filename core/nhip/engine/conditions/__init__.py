"""Conditions: read, compiled for the many, and judged with reasons."""
