"""The asynchronous engine behind every face. Never public; runs on the loop thread."""
