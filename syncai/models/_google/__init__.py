"""Requests and answers of the Gemini API; mapping does no I/O."""
