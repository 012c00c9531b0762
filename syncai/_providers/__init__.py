"""What is known of the providers, as data: below all that needs their names."""
