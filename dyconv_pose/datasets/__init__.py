"""Data: the drawn sample set, and checks of annotation files."""
