"""The triggers shipped with Nhịp; each module is one plugin."""
