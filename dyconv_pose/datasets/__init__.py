"""Checks of annotations and results, and samplers."""
