"""What people look at: what happened, what was sent, how much, and why."""
