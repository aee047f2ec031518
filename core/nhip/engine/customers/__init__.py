"""What snapshots change, what scores become, and what two contacts are as one."""
