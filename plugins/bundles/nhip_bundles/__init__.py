"""The record types and bundles shipped with Nhịp; each module is one plugin."""
