"""Folders that an operator opens for reading or writing; no path leads out of them."""
