"""Steps are claimed, prepared, performed and recorded; and what nobody rang for."""
