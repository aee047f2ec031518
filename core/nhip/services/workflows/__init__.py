"""Workflows as admins write, check, try and publish them."""
