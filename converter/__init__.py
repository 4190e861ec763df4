"""Documents in, symbolic models, documents out."""
