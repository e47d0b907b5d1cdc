"""Who may do what: every address of the shop against every role, as data (safety.md 4). Replayed by tests/pages.

Columns: a visitor; A, whose objects the ids name; B, another student; M+, the mentor assigned to A; M-, another mentor;
a lecturer; staff by their roles: operations, registry, finance, customer service, administrators. A line that ends
before the roles of staff says the same of all of them.

What each cell says of the answer:

* ``ok``: gets in, to A's objects where the address names any. A post may then still be refused by the state of things.
* ``own``: gets in, to the caller's own things, whatever ids of A's are sent along.
* ``login``: sent to the log-in page; ``403``: a page of another role; ``404``: as if it did not exist.
* ``token``: whoever knows the secret is let in, whoever they are; with a wrong one it is not there, or not any more.
* ``signed``: the signature of the message decides, and no session is looked at.

An address with objects of several kinds has a line for each, told apart by the word after ``#``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests import staff_rights

STAFF = ("OPS", "REG", "FIN", "CS", "ADM")
ROLES = ("visitor", "A", "B", "M+", "M-", "lecturer", *STAFF)
ANSWERS = frozenset(("ok", "own", "login", "403", "404", "token", "signed"))

TABLE = """
# everybody
GET  /                                                            ok     ok   ok   ok   ok   ok   ok
GET  /courses                                                     ok     ok   ok   ok   ok   ok   ok
GET  /courses/<product_id>                                        ok     ok   ok   ok   ok   ok   ok
GET  /degrees/<product_id>                                        ok     ok   ok   ok   ok   ok   ok
GET  /covers/<product_id>.svg                                     ok     ok   ok   ok   ok   ok   ok
GET  /static/<filename>                                           ok     ok   ok   ok   ok   ok   ok
GET  /coupons                                                     ok     ok   ok   ok   ok   ok   ok
GET  /learning/sections/<section_id>#free                         ok     ok   ok   ok   ok   ok   ok
GET  /healthz                                                     ok     ok   ok   ok   ok   ok   ok
GET  /readyz                                                      ok     ok   ok   ok   ok   ok   ok
GET  /metrics                                                     token  token token token token token token
GET  /outbox                                                      ok     ok   ok   ok   ok   ok   ok
GET  /alipay/return                                               ok     ok   ok   ok   ok   ok   ok
POST /alipay/notify                                               signed signed signed signed signed signed signed

# accounts
GET  /register                                                    ok     ok   ok   ok   ok   ok   ok
POST /register                                                    ok     ok   ok   ok   ok   ok   ok
GET  /login                                                       ok     ok   ok   ok   ok   ok   ok
POST /login                                                       ok     ok   ok   ok   ok   ok   ok
POST /language                                                    ok     ok   ok   ok   ok   ok   ok
GET  /password/reset                                              ok     ok   ok   ok   ok   ok   ok
POST /password/reset                                              ok     ok   ok   ok   ok   ok   ok
GET  /password/reset/<token>                                      token  token token token token token token
POST /password/reset/<token>                                      token  token token token token token token
GET  /account                                                     login  own  own  own  own  own  own
GET  /account/coupons                                             login  own  own  own  own  own  own
GET  /account/beli                                                login  own  own  own  own  own  own
GET  /account/beli.csv                                            login  own  own  own  own  own  own
GET  /account/data                                                login  own  own  own  own  own  own
POST /account/data/exports                                        login  own  own  own  own  own  own
GET  /account/data/exports/<token>                                login  token token token token token token
POST /account/data/exports/<token>                                login  token token token token token token
POST /account/data/deletion                                       login  own  own  own  own  own  own
POST /account/password                                            login  own  own  own  own  own  own
POST /account/logout-everywhere                                   login  own  own  own  own  own  own
POST /logout                                                      ok     own  own  own  own  own  own
GET  /messages                                                    login  own  own  own  own  own  own
POST /messages/reading                                            login  own  own  own  own  own  own
POST /messages/<message_id>/reading                               login  ok   404  404  404  404  404

# the second factor of staff
GET  /login/second-factor                                         login  login login login login login login
POST /login/second-factor                                         login  login login login login login login
GET  /login/second-factor/new                                     login  login login login login login login
POST /login/second-factor/new                                     login  login login login login login login
GET  /staff/confirm                                               login  403  403  403  403  403  own
POST /staff/confirm                                               login  403  403  403  403  403  own

# buying
GET  /cart                                                        own    own  own  own  own  own  own
POST /cart/items                                                  own    own  own  own  own  own  own
POST /cart/items/<product_id>/policy                              own    own  own  own  own  own  own
POST /cart/items/<product_id>/delete                              own    own  own  own  own  own  own
POST /cart/selection                                              own    own  own  own  own  own  own
POST /coupons/<coupon_id>/claims                                  login  own  own  own  own  own  403
POST /coupons/codes                                               login  own  own  own  own  own  403
POST /settlement                                                  login  own  own  own  own  own  own
GET  /settlement                                                  login  own  own  own  own  own  own
POST /settlement/choices                                          login  own  own  own  own  own  403
POST /checkout                                                    login  own  own  own  own  own  403

# orders
GET  /orders                                                      login  own  own  own  own  own  own
GET  /orders/<order_number>                                       login  ok   404  404  404  404  404
GET  /orders/<order_number>/receipt                               login  ok   404  404  404  404  404
POST /orders/<order_number>/payments                              login  ok   404  404  404  404  404
POST /orders/<order_number>/inquiry                               login  ok   404  404  404  404  404
POST /orders/<order_number>/cancellation                          login  ok   404  404  404  404  404
POST /orders/<order_number>/cart                                  login  ok   404  404  404  404  404
GET  /orders/<order_number>/refunds                               login  ok   404  404  404  404  404
POST /orders/<order_number>/refunds                               login  ok   404  404  404  404  404
POST /orders/<order_number>/refunds/<out_request_no>/withdrawal   login  ok   404  404  404  404  404

# learning
GET  /learning                                                    login  own  own  own  own  own  own
GET  /learning/courses/<product_id>#bought                        login  ok   403  403  403  403  403
GET  /learning/courses/<product_id>#module                        login  ok   403  ok   403  403  403
GET  /learning/sections/<section_id>#bought                       login  ok   403  403  403  403  403
GET  /learning/sections/<section_id>#module                       login  ok   403  ok   403  403  403

# a degree: its student
GET  /degrees/enrolments/<enrolment_id>/registration              login  ok   404  404  404  404  404
POST /degrees/enrolments/<enrolment_id>/registration              login  ok   404  404  404  404  404
POST /degrees/enrolments/<enrolment_id>/registration/draft        login  ok   404  404  404  404  404
POST /degrees/enrolments/<enrolment_id>/registration/salary/delete  login  ok   404  404  404  404  404
GET  /learning/degrees/<enrolment_id>                             login  ok   404  404  404  404  404
POST /learning/degrees/<enrolment_id>/modules/<course_id>         login  ok   404  404  404  404  404
GET  /learning/degrees/<enrolment_id>/leave                       login  ok   404  404  404  404  404
POST /learning/degrees/<enrolment_id>/leave                       login  ok   404  404  404  404  404
POST /learning/degrees/<enrolment_id>/leave/return                login  ok   404  404  404  404  404
GET  /learning/degrees/<enrolment_id>/homework/<homework_id>      login  ok   404  404  404  404  404
POST /learning/degrees/<enrolment_id>/homework/<homework_id>      login  ok   404  404  404  404  404
GET  /learning/degrees/<enrolment_id>/questions                   login  ok   404  404  404  404  404
POST /learning/degrees/<enrolment_id>/questions                   login  ok   404  404  404  404  404
POST /learning/degrees/<enrolment_id>/questions/<question_id>/answers  login  ok   404  404  404  404  404
POST /learning/degrees/<enrolment_id>/questions/<question_id>/closing  login  ok   404  404  404  404  404
GET  /learning/degrees/<enrolment_id>/complaints                  login  ok   404  404  404  404  404
POST /learning/degrees/<enrolment_id>/complaints                  login  ok   404  404  404  404  404
GET  /learning/degrees/<enrolment_id>/rewards                     login  ok   404  404  404  404  404
GET  /learning/degrees/<enrolment_id>/rewards.csv                 login  ok   404  404  404  404  404
GET  /uploads/<upload_id>#homework                                login  ok   404  ok   404  404  404
GET  /uploads/<upload_id>#follow-up                               login  404  404  ok   404  404  404

# a degree: its mentor
GET  /mentor                                                      login  403  403  own  own  403  403
GET  /mentor/students/<enrolment_id>                              login  403  403  ok   404  403  403
POST /mentor/students/<enrolment_id>/follow-ups                   login  403  403  ok   404  403  403
GET  /mentor/homework                                             login  403  403  own  own  403  403
GET  /mentor/homework/<submission_id>                             login  403  403  ok   404  403  403
POST /mentor/homework/<submission_id>                             login  403  403  ok   404  403  403
GET  /mentor/questions                                            login  403  403  own  own  403  403
POST /mentor/questions/<question_id>/answers                      login  403  403  ok   404  403  403
GET  /mentor/earnings                                             login  403  403  own  own  403  403
GET  /mentor/earnings.csv                                         login  403  403  own  own  403  403
GET  /mentor/earnings/<score_record_id>/appeals                   login  403  403  ok   404  403  403
POST /mentor/earnings/<score_record_id>/appeals                   login  403  403  ok   404  403  403
GET  /mentor/withdrawals                                          login  403  403  own  own  403  403
POST /mentor/withdrawals                                          login  403  403  own  own  403  403
"""


@dataclass(frozen=True, slots=True)
class Right:
    """One line: what the roles are answered at one address, about objects of one kind."""

    method: str
    rule: str  # as Flask has it, without converters: /orders/<order_number>
    kind: str  # of the objects that its ids name; empty where there is one kind only
    answers: tuple[str, ...]  # by ROLES

    def __str__(self) -> str:
        return f"{self.method} {self.rule}" + (f"#{self.kind}" if self.kind else "")

    def answer(self, role: str) -> str:
        return self.answers[ROLES.index(role)]


def without_converters(rule: str) -> str:
    return re.sub(r"<[^>]*?:(\w+)>", r"<\1>", rule)


def _read(line: str) -> Right:
    method, address, *answers = line.split()
    rule, _, kind = address.partition("#")
    if len(answers) == len(ROLES) - len(STAFF) + 1:
        answers += answers[-1:] * (len(STAFF) - 1)
    if len(answers) != len(ROLES) or not ANSWERS.issuperset(answers):
        raise ValueError(line)
    return Right(method, rule, kind, tuple(answers))


TABLES = (TABLE, *(area.TABLE for area in staff_rights.AREAS))
RIGHTS = tuple(_read(line) for table in TABLES for line in table.splitlines() if line and not line.startswith("#"))
