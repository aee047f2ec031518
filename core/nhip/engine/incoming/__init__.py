"""What comes in: checked, mapped, and brought into one form."""
