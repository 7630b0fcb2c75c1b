"""One dial: how much verification may be lost, and what is the least that then still leaks."""

from sensitivenets.tradeoff.budgeted_transport import BudgetedTransport
from sensitivenets.tradeoff.candidates import CANDIDATES, Candidate
from sensitivenets.tradeoff.measure import TradeOff, TradeOffPoint

__all__ = ["CANDIDATES", "BudgetedTransport", "Candidate", "TradeOff", "TradeOffPoint"]
