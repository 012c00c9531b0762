"""Requests and answers of Anthropic Messages; mapping does no I/O."""
