"""What the browser's tests ask the database, and what they change behind the visitor's back."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Query, Session

from shop.enums import TransactionType
from shop.extensions import db, unit_of_work
from shop.models import Account, Course, Order, PricePolicy, Product
from shop.services import wallet


def now_stored() -> Session:
    """A session that sees what other threads have written since."""
    db.session.rollback()
    return db.session()


def page_of(name: str) -> str:
    """The page of a course or degree of the demo."""
    product = now_stored().query(Product).filter_by(name=name).one()
    return f"/{'courses' if isinstance(product, Course) else 'degrees'}/{product.id}"


def give_beli(username: str, beli: int) -> None:
    account = now_stored().query(Account).filter_by(username=username).one()
    with unit_of_work() as session:
        wallet.move_beli(session, account.id, TransactionType.INCOME, beli, memo="for a test")


def change_price(name: str, was_fen: int, now_fen: int) -> None:
    product = now_stored().query(Product).filter_by(name=name).one()
    with unit_of_work() as session:
        plan = session.query(PricePolicy).filter_by(product_id=product.id, price_fen=was_fen).one()
        plan.price_fen = now_fen


def orders() -> Query[Order]:
    """What the test has ordered: the demo has sold Robin and Vivi a degree each before."""
    session = now_stored()
    students = select(Account.id).where(Account.username.in_(("robin", "vivi")))
    return session.query(Order).filter(Order.account_id.not_in(students))


def only_order() -> Order:
    return orders().one()
