"""The channels shipped with Nhịp; each module is one plugin."""
