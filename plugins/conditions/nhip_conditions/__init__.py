"""The conditions shipped with Nhịp; each module is one plugin."""
