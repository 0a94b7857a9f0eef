"""Programs of interpreters in a sandbox; they are sent there as text."""
