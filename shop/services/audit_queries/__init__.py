"""What must always hold in the database (design 11), each as one query that selects the rows that break it.

Some of it the database refuses by itself. It is asked all the same: a restored dump, a dropped constraint or a repair
by hand must not go unseen. Every query is one statement over whole tables: it sees one state of a shop that goes on
selling, and more rows mean no more statements. They join and group, so that a million orders are read in one go;
a subquery that is asked once per row would take hours.
"""

from shop.services.audit_queries import coupons, degrees, enrolments, gifts, ledger, orders, payments, refunds, waiting
from shop.services.audit_queries.check import Broken, Check

GROUPS = (ledger, coupons, orders, payments, refunds, enrolments, degrees, gifts)
CHECKS: tuple[Check, ...] = tuple(check for group in GROUPS for check in group.checks.found)

__all__ = ["CHECKS", "Broken", "Check", "waiting"]
