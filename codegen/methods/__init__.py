"""Numerical methods, one place each: how a step changes the states of a population.

A method is a function from a population (and the slopes of what is attached to it) to groups
of updates: the groups act one after the other, the updates of a group from the same values.
Runge-Kutta methods are tables of stages over the whole network instead.
"""
