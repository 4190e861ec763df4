"""Holds models against their targets, and lemsmith against other simulators."""
