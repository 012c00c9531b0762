"""The addresses of the project."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from chat_site.agents import agent
from syncai.contrib.django import DjangoStore, chat_page, chat_view, stream_response
from syncai.conversations import Last
from syncai.web import read_chat


def ask(request: HttpRequest) -> HttpResponse:
    return stream_response(request, agent, request.GET['q'], form='text', deps=request.user)


async def ask_later(request: HttpRequest) -> HttpResponse:
    return stream_response(request, agent, request.GET['q'], form='text', deps='someone')


def own(request: HttpRequest) -> HttpResponse:
    chat = agent.conversation('own', store=DjangoStore())
    return stream_response(request, chat, request.GET['q'], form='text', deps=request.user)


async def own_later(request: HttpRequest) -> HttpResponse:
    chat = agent.conversation('own', store=DjangoStore())
    return stream_response(request, chat, request.GET['q'], form='text', deps='someone')


def own_asks(request: HttpRequest) -> HttpResponse:
    asked = read_chat(request.body, history='server')
    chat = agent.conversation('own', store=DjangoStore())
    return stream_response(request, chat, asked.prompt, asked=asked, deps=request.user)


urlpatterns = [
    path('admin/', admin.site.urls),
    path('', chat_page('/chat/')),
    path('chat/', chat_view(agent)),
    path('atomic/', chat_view(agent, atomic=True)),
    path('kept/', chat_view(agent, store=DjangoStore())),
    path('last/', chat_view(agent, store=DjangoStore(), keep=Last(1))),
    path('asks/', chat_view(agent, store=DjangoStore(), approvals='user')),
    path('own/', own),
    path('own-later/', own_later),
    path('own-asks/', own_asks),
    path('ask/', ask),
    path('ask-later/', ask_later),
]
