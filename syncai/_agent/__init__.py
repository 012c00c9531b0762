"""What an agent is made of: the ways to run it, and the decorators that give it functions."""
