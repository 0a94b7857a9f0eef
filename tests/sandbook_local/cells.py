"""Cells of local sandboxes: those of the conformance kit."""

from sandbook.testing._cells import Given, cell, give, good, python

__all__ = ["Given", "cell", "give", "good", "python"]
