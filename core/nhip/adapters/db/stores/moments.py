"""Identifiers are UUIDv7, so a moment bounds them: what came since then has an id from here on."""


def first_id_of(micros: int) -> str:
    """The smallest identifier that could have been made in the millisecond of a moment."""
    stamp = f"{max(micros, 0) // 1000:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7"
