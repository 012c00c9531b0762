"""Requests and answers of OpenAI Responses; mapping does no I/O."""
