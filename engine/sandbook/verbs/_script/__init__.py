"""The script of a terminal: its lines, and how each of them is carried out."""
