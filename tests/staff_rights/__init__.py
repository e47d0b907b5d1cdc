"""The lines of the staff areas, a file for each; ``tests/rights.py`` reads them all."""

from __future__ import annotations

from tests.staff_rights import accounts, catalogue, desk, money, orders

AREAS = (accounts, catalogue, desk, money, orders)
