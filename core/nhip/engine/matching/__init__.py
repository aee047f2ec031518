"""Which workflows an event concerns: an index of their conditions."""
