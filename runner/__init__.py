"""Builds and runs generated programs, and keeps what they recorded."""
