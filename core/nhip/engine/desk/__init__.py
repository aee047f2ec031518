"""Who gets something, hears of it, or calls."""
