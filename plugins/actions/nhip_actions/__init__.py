"""The actions shipped with Nhịp; each module is one plugin."""
