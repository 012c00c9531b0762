"""The addresses of the project."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from chat_site.agents import agent
from syncai.contrib.django import DjangoStore, chat_page, chat_view, stream_response


def ask(request: HttpRequest) -> HttpResponse:
    return stream_response(request, agent, request.GET['q'], form='text', deps=request.user)


async def ask_later(request: HttpRequest) -> HttpResponse:
    return stream_response(request, agent, request.GET['q'], form='text', deps='someone')


urlpatterns = [
    path('admin/', admin.site.urls),
    path('', chat_page('/chat/')),
    path('chat/', chat_view(agent)),
    path('atomic/', chat_view(agent, atomic=True)),
    path('kept/', chat_view(agent, store=DjangoStore())),
    path('ask/', ask),
    path('ask-later/', ask_later),
]
