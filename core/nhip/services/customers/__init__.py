"""Contacts and records, the segments that they are in, and the scores that they have."""
