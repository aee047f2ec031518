"""The only SQL: tables, the database's doors, stores over an open transaction, migrations."""

from nhip.adapters.db import (
    assignment_tables as assignment_tables,
    calendar_tables as calendar_tables,
    call_tables as call_tables,
    scan_tables as scan_tables,
    segment_tables as segment_tables,
    source_tables as source_tables,
    telesales_tables as telesales_tables,
)
from nhip.adapters.db.session import Database
from nhip.adapters.db.upgrade import upgrade

__all__ = ["Database", "upgrade"]
