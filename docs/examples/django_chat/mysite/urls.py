"""The addresses of the project."""

from django.contrib import admin
from django.urls import path

from syncai import Agent
from syncai.contrib.django import chat_page, chat_view

agent = Agent(instructions='You help the customers of a shop. Be brief.')


@agent.tool_plain(approve=True)
def refund(order: int, amount: float) -> str:
    """Pay the amount of an order back."""
    return f'Refunded {amount:.2f} of order {order}.'


urlpatterns = [
    path('admin/', admin.site.urls),
    path('', chat_page('/chat/')),
    path('chat/', chat_view(agent)),
]
