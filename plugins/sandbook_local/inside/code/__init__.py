"""Code in languages, with variables that stay: the programs that run it, inside."""
