"""Example models, smallest first."""
