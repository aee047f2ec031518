"""The way of an event: what it says of customers becomes true, and the runs that it starts are made."""
