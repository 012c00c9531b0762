"""The settings of a Django project with a queue in its database."""

from __future__ import annotations

import os

SECRET_KEY = 'of a test'
USE_TZ = True
INSTALLED_APPS = ['django_tasks', 'django_tasks_db']
DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.environ['DATABASE']}}
TASKS = {'default': {'BACKEND': 'django_tasks_db.DatabaseBackend'}}
LOGGING_CONFIG = None
