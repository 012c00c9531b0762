"""What is known of providers: rows, addresses, model names, context windows."""
