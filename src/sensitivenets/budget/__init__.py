"""One dial: how much verification may be lost, and what is the least that then still leaks."""

from sensitivenets.budget.candidates import CANDIDATES, Candidate
from sensitivenets.budget.estimator import BudgetedTransport
from sensitivenets.budget.trade_off import TradeOff, TradeOffPoint

__all__ = ["CANDIDATES", "BudgetedTransport", "Candidate", "TradeOff", "TradeOffPoint"]
