"""The optimiser's passes, one file each, named by their effect; network in, network out."""
