"""One store per family of tables, each over the connection of one open unit."""
