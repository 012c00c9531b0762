"""The prices of answers: as the provider reports them, or by the tables of genai-prices (extra `prices`)."""

from .price import Answers, Price, Priced, PricedCounts, price_of_answers, price_of_run, sum_of_prices
from .table import price_of, stated_price

__all__ = [
    'Answers',
    'Price',
    'price_of',
    'price_of_answers',
    'price_of_run',
    'Priced',
    'PricedCounts',
    'stated_price',
    'sum_of_prices',
]
