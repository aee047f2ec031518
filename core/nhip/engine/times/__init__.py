"""When waits end, schedules tick, and days come back."""
