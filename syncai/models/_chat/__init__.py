"""Requests and answers of OpenAI Chat Completions; mapping does no I/O."""
