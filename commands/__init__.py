"""The commands, one file each; `command_line.py` is their group.

A command imports what it runs when it runs, so that `lemsmith --version` answers at once
and a run that finds its program in the cache never imports the compiling half.
"""
