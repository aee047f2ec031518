"""What stands between the services and the outside: databases, the doorbell, templates, secrets, HTTP."""
