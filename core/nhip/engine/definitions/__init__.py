"""The language of workflows: read with every fault located, and compiled flat."""
