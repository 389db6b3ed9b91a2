"""What is probably not meant by rules, and which of them act."""
