"""The facts about providers: rows, addresses, model names, context windows."""
