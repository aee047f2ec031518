"""How a run starts and goes on: which workflows an event concerns, who enters, and what the next step is."""
