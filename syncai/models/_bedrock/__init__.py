"""Requests and answers of Amazon Bedrock Converse; mapping does no I/O."""
