"""The settings of the tests' project; `SYNCAI_TEST_DATABASES` may be JSON of other databases."""

from __future__ import annotations

import json
import os

SECRET_KEY = 'of a test'
ALLOWED_HOSTS = ['*']
USE_TZ = True
ROOT_URLCONF = 'chat_site.urls'
INSTALLED_APPS = [
    'django.contrib.contenttypes',
    'django.contrib.auth',
    'django.contrib.sessions',
    'django.contrib.messages',
    'django.contrib.admin',
    'syncai.contrib.django',
]
MIDDLEWARE = [
    'django.contrib.sessions.middleware.SessionMiddleware',
    'django.middleware.csrf.CsrfViewMiddleware',
    'django.contrib.auth.middleware.AuthenticationMiddleware',
    'django.contrib.messages.middleware.MessageMiddleware',
]
TEMPLATES = [
    {
        'BACKEND': 'django.template.backends.django.DjangoTemplates',
        'APP_DIRS': True,
        'OPTIONS': {
            'context_processors': [
                'django.template.context_processors.request',
                'django.contrib.auth.context_processors.auth',
                'django.contrib.messages.context_processors.messages',
            ]
        },
    }
]
_MEMORY = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}
DATABASES = json.loads(os.environ.get('SYNCAI_TEST_DATABASES', 'null')) or {'default': _MEMORY, 'other': _MEMORY}
SYNCAI = {'MODEL': 'test'}
PASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']
