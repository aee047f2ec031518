"""Nhịp: an automation engine for customer care."""
