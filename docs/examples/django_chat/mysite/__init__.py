"""A chat in Django: the project of docs/django.md."""
