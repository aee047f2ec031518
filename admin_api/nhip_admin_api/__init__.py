"""The HTTP API that admins, staff and integrations use."""
