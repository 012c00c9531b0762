"""From a caller to the model that answers: the choice of it, stand-ins in tests, and who pays."""
