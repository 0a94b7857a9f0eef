"""What runs in the supervisor and in the sandbox: standard library, lean imports."""
