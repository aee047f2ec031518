"""Real servers and databases that the tests run against."""
