"""What goes in and out, one module for each resource: frozen structs, described for the OpenAPI document."""
