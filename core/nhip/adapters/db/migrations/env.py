"""Alembic's environment: it migrates over the connection that :mod:`nhip.adapters.db.upgrade` hands it."""

from alembic import context

from nhip.adapters.db.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("run migrations through `nhip db upgrade`")
context.configure(connection=connection, target_metadata=metadata, render_as_batch=False, transactional_ddl=False)
context.run_migrations()
