"""The shapes of documents: LEMS, NeuroML 2, and validation against them."""
