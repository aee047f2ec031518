"""Channel accounts and templates, and what comes back from providers."""
