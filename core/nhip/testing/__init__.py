"""The public test kit: contexts for single plugins, stand-in providers, conformance checks."""
