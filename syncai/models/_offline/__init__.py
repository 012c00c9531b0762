"""What models without a provider share."""
