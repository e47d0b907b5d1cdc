"""对账: Alipay's bill of a day against the shop's books; heals what is safe and lists the rest (alipay.md 7.8).

The bill itself marks nothing as paid or refunded: it says what to ask Alipay about, and the answer goes the way that
every answer goes. What no answer can mend is left to people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import DifferenceKind, TroubleKind
from shop.extensions import db, settings, unit_of_work
from shop.gateways import bill as bills
from shop.gateways.alipay import Alipay, Trade, Unknown
from shop.gateways.bill import Bill, BillUnreadable
from shop.models import Payment, Reconciliation, ReconciliationDifference
from shop.services import bill_comparison, payment, refunds, troubles
from shop.services.bill_comparison import Comparison, Finding
from shop.services.locks import lock_order
from shop.services.payment import Answer
from shop.wording import mark as _

log = structlog.get_logger()

READY = time(10)  # in Shanghai: yesterday's bill is there by nine (alipay.md 4.7)
AGAIN_DAYS = 3  # so long a day is looked at again: bills come late and are corrected
AGAIN = timedelta(days=1)
AGAIN_SOON = timedelta(hours=1)  # while a difference is left
TRIES = 2  # for the file: its address is good for 30 seconds
MOST_HEALED = 500  # calls to Alipay in one run
MOST_LOOKED_UP = 200

ASKED = {
    DifferenceKind.MISSED_PAYMENT,
    DifferenceKind.LATE,
    DifferenceKind.DOUBLE,
    DifferenceKind.AMOUNT,
    DifferenceKind.TRADE_NUMBER,
    DifferenceKind.UNKNOWN_TRADE,
}
HEARD_OF = (DifferenceKind.FOREIGN_REFUND, DifferenceKind.MISSED_REFUND)
TROUBLES = {
    DifferenceKind.AMOUNT: TroubleKind.WRONG_AMOUNT,
    DifferenceKind.TRADE_NUMBER: TroubleKind.SECOND_TRADE,
    DifferenceKind.UNKNOWN_TRADE: TroubleKind.UNKNOWN_TRADE,
}

HEALED = _("已问过支付宝并记账")
LISTED = _("已列入待人处理的款项")
BILL_ALONE = _("已按支付宝的回答记账，只有账单的金额不同")
LEFT_ALONE = _("这次没有处理，再核对一次会继续")
NO_ANSWER = _("支付宝没有回答")
CONFIRMED = _("支付宝确认有这笔钱，账单里没有")
DENIED = _("支付宝没有这笔钱")
NOT_ASKED = _("缺得太多，没有逐笔问支付宝")
IN_ORDER_LATER = _("再次核对时已一致")


Line = tuple[str, str, str]  # out_trade_no, trade_no, out_request_no


class NotOver(ValueError):
    """Alipay makes a day's bill when the day is over."""


class NoBill(Exception):
    """Alipay gave no bill that can be read. Nothing was changed; ask again later."""


# ---------------------------------------------------------------- one day


def reconcile(day: date) -> Reconciliation:
    """Compare a day's bill with the books, heal what can be healed, keep what was found. Raises NotOver, NoBill.

    The second run finds what the first has left, and changes nothing else.
    """
    if day >= clock.local_date(clock.now()):
        raise NotOver(day)
    bill = _fetch(day)
    missing = _Missing(day)
    found = _compare(bill, day, missing)
    reconciliation_id = _begin(day, found.findings)
    if found.findings:
        unhealed = _heal(found.findings)
        left = _compare(bill, day, missing)
        left.findings = [_given_up(finding, unhealed.get(finding.line, "")) for finding in left.findings]
    else:
        left = found
    return _end(reconciliation_id, bill, found, left)


def reconcile_due(now: datetime) -> dict[str, int]:
    """The job: yesterday's bill after ten, and the last days again; counts of days, of what is left, of failures."""
    counts = Counter(reconciled=0, differences=0, failed=0)
    for day in _due(now):
        try:
            done = reconcile(day)
        except NoBill as error:
            log.warning("no bill", day=day.isoformat(), reason=str(error))
            counts["failed"] += 1
        else:
            counts["reconciled"] += 1
            counts["differences"] += len(open_differences(done))
    return dict(counts)


def open_differences(reconciliation: Reconciliation) -> list[ReconciliationDifference]:
    """What is left to people: neither healed nor closed."""
    return [one for one in reconciliation.differences if not one.is_healed and one.resolved_time is None]


def _due(now: datetime) -> list[date]:
    here = clock.local(now)
    days = [here.date() - timedelta(days=ago) for ago in range(1, AGAIN_DAYS + 1)]
    of_days = select(Reconciliation).where(Reconciliation.bill_date.in_(days))
    runs = {run.bill_date: run for run in db.session.scalars(of_days)}
    return [day for day in days if (here.time() >= READY or day != days[0]) and _is_due(runs.get(day), now)]


def _is_due(run: Reconciliation | None, now: datetime) -> bool:
    if run is None:
        return True
    return now - run.run_time >= (AGAIN_SOON if open_differences(run) else AGAIN)


# ---------------------------------------------------------------- the bill


def _fetch(day: date) -> Bill:
    """An empty bill where Alipay has none: a day without business. Raises NoBill."""
    db.session.rollback()  # no network call while a transaction is open (safety.md P12)
    gateway = Alipay(settings())
    problem = ""
    for _try in range(TRIES):
        try:
            url = gateway.bill_url(day)
            return bills.read(bills.download(url, gateway.settings.alipay_gateway), day) if url else Bill()
        except Unknown as unknown:
            problem = f"Alipay gave no answer ({unknown})"
        except BillUnreadable as unreadable:
            raise NoBill(f"the bill cannot be read: {unreadable}") from unreadable
    raise NoBill(problem)


def _compare(bill: Bill, day: date, missing: _Missing) -> Comparison:
    db.session.rollback()  # as the books are now
    comparison = bill_comparison.compare(bill, day)
    db.session.rollback()
    accused = missing.accused(comparison.missing)
    for finding in accused:
        bill_comparison.count(comparison.shop, finding.shop_fen or 0)
    comparison.findings += accused
    return comparison


@dataclass(slots=True)
class _Missing:
    """What the shop booked that day and the bill does not have: asked about, each once, before it is accused."""

    day: date
    notes: dict[Line, str | None] = field(default_factory=dict)

    def accused(self, suspects: Iterable[Finding]) -> list[Finding]:
        notes = [(suspect, self._note(suspect)) for suspect in suspects]
        return [replace(suspect, note=note) for suspect, note in notes if note is not None]

    def _note(self, suspect: Finding) -> str | None:
        """Why it is accused; None when its money moved on another day, whose bill has it."""
        if suspect.line not in self.notes:
            if len(self.notes) >= MOST_LOOKED_UP:
                return NOT_ASKED
            self.notes[suspect.line] = self._look_up(suspect)
        return self.notes[suspect.line]

    def _look_up(self, suspect: Finding) -> str | None:
        try:
            is_there, moved = _moved(Alipay(settings()), suspect)
        except Unknown:
            return NO_ANSWER
        if not is_there:
            return DENIED
        return CONFIRMED if moved is None or clock.local_date(moved) == self.day else None


def _moved(gateway: Alipay, suspect: Finding) -> tuple[bool, datetime | None]:
    """Whether Alipay knows of this money, and when it says that it moved. Raises Unknown."""
    if suspect.refund_no:
        moved_fen = gateway.refunded_fen(suspect.trade_no, suspect.refund_no)
        is_there = moved_fen == -(suspect.shop_fen or 0)
        return is_there, gateway.refund_time(suspect.trade_no, suspect.refund_no) if is_there else None
    trade = gateway.query(suspect.out_trade_no)
    is_it = trade is not None and (trade.trade_no, trade.amount_fen) == (suspect.trade_no, suspect.shop_fen)
    return (True, trade.paid_time) if trade and is_it and trade.paid_time else (False, None)


# ---------------------------------------------------------------- healing


def _heal(findings: Sequence[Finding]) -> dict[Line, str]:
    """Ask Alipay about what the bill tells, payments first; why the rest stays as it is, by line."""
    notes: dict[Line, str] = {}
    healable = [finding for finding in findings if _is_asked(finding) or _is_heard_of(finding)]
    healable.sort(key=lambda finding: finding.refund_no != "")
    for finding in healable[:MOST_HEALED]:
        if finding.refund_no:
            _hear_of_refund(finding)
        elif payment.ask(finding.out_trade_no) is Answer.UNKNOWN:
            notes[finding.line] = NO_ANSWER
    return notes | dict.fromkeys((finding.line for finding in healable[MOST_HEALED:]), LEFT_ALONE)


def _is_asked(finding: Finding) -> bool:
    return finding.kind in ASKED and not finding.refund_no and finding.out_trade_no != ""


def _is_heard_of(finding: Finding) -> bool:
    """Whether the bill has a refund that the shop has not booked."""
    return finding.refund_no != "" and finding.kind in (*HEARD_OF, DifferenceKind.UNKNOWN_TRADE)


def _hear_of_refund(finding: Finding) -> None:
    """Have Alipay asked about a refund that the bill shows; the answer books it. Of an unknown trade: for people."""
    with unit_of_work() as session:
        attempt = _attempt_of(session, finding)
        is_ours = finding.kind is DifferenceKind.MISSED_REFUND
        if attempt is None or not (is_ours or attempt.trade_no == finding.trade_no):
            _note_trouble(session, finding, TroubleKind.FOREIGN_REFUND, attempt)
            return
        lock_order(session, attempt.order_id)
        refunds.note_from_gateway(session, attempt, finding.refund_no, clock.now())
    refunds.send(finding.refund_no)


def _given_up(finding: Finding, note: str) -> Finding:
    """What could not be healed, with the reason; a payment goes on the list of money without a home."""
    if finding.kind not in TROUBLES or finding.refund_no:
        return replace(finding, note=note or finding.note)
    with unit_of_work() as session:
        attempt = _attempt_of(session, finding)
        if finding.kind is DifferenceKind.AMOUNT and attempt and attempt.trade_no == finding.trade_no:
            return replace(finding, note=note or BILL_ALONE)  # its money is booked, as Alipay told it
        _note_trouble(session, finding, TROUBLES[finding.kind], attempt)
    return replace(finding, note=note or LISTED)


def _attempt_of(session: Session, finding: Finding) -> Payment | None:
    return session.scalars(select(Payment).where(Payment.out_trade_no == finding.out_trade_no)).first()


def _note_trouble(session: Session, finding: Finding, kind: TroubleKind, attempt: Payment | None) -> None:
    trade = Trade(
        out_trade_no=finding.out_trade_no,
        trade_no=finding.trade_no,
        status="TRADE_SUCCESS",
        amount_fen=abs(finding.bill_fen or 0),
        refund_no=finding.refund_no,
    )
    troubles.note(session, kind, trade, found_by="bill", now=clock.now(), payment_id=attempt.id if attempt else None)


# ---------------------------------------------------------------- kept


def _begin(day: date, findings: Sequence[Finding]) -> int:
    """The day's row with what was found, committed before anything is healed: a crash must not hide it."""
    try:
        return _begin_now(day, findings)
    except IntegrityError:  # somebody began the same day a moment ago; the second round sees it
        return _begin_now(day, findings)


def _begin_now(day: date, findings: Sequence[Finding]) -> int:
    now = clock.now()
    with unit_of_work() as session:
        row = _locked(session, Reconciliation.bill_date == day)
        if row is None:
            row = Reconciliation(bill_date=day, run_time=now, runs=0, summary={})
            session.add(row)
        row.run_time, row.runs = now, row.runs + 1
        _add(row, findings)
        session.flush()
        return row.id


def _end(reconciliation_id: int, bill: Bill, found: Comparison, left: Comparison) -> Reconciliation:
    now = clock.now()
    found_lines = {finding.line for finding in found.findings}
    with unit_of_work() as session:
        row = _locked(session, Reconciliation.id == reconciliation_id)
        assert row is not None
        _add(row, left.findings)
        by_line = {finding.line: finding for finding in left.findings}
        for difference in row.differences:
            _conclude(difference, by_line.get(_line(difference)), _line(difference) in found_lines, now)
        row.summary = _summary(bill, left, row)
    log.info("reconciled", day=row.bill_date.isoformat(), **_outcome(row))
    return row


def _conclude(difference: ReconciliationDifference, left: Finding | None, was_found: bool, now: datetime) -> None:
    """What became of one difference in this run. What a person has closed stays closed."""
    is_open = not difference.is_healed and difference.resolved_time is None
    if difference.handler_id is not None:
        return
    if left is not None and (is_open or left.kind is difference.kind):
        difference.is_healed, difference.resolved_time, difference.resolution = False, None, ""
        difference.note = left.note
    elif not is_open:
        return
    elif was_found:
        difference.is_healed, difference.note = True, HEALED
    else:
        difference.resolved_time, difference.resolution = now, IN_ORDER_LATER


def _add(row: Reconciliation, findings: Sequence[Finding]) -> None:
    """Keep what is new: a line that is listed and open keeps the kind it was found as."""
    kept = {(one.kind, *_line(one)) for one in row.differences} | {(None, *_line(one)) for one in open_differences(row)}
    row.differences += [
        ReconciliationDifference(
            kind=finding.kind,
            out_trade_no=finding.out_trade_no,
            trade_no=finding.trade_no,
            out_request_no=finding.refund_no,
            bill_fen=finding.bill_fen,
            shop_fen=finding.shop_fen,
            is_healed=False,
            note=finding.note,
            resolution="",
        )
        for finding in findings
        if not {(finding.kind, *finding.line), (None, *finding.line)} & kept
    ]


def _summary(bill: Bill, left: Comparison, row: Reconciliation) -> dict[str, Any]:
    totals = Counter(payments=0, paid_fen=0, refunds=0, refunded_fen=0)
    for line in bill.rows:
        totals.update(
            {"refunds": 1, "refunded_fen": line.fen} if line.refund_no else {"payments": 1, "paid_fen": line.fen}
        )
    kinds = Counter(one.kind.name for one in row.differences)
    return {"bill": dict(totals), "shop": dict(left.shop), "kinds": dict(sorted(kinds.items())), **_outcome(row)}


def _outcome(row: Reconciliation) -> dict[str, int]:
    return {"healed": sum(one.is_healed for one in row.differences), "open": len(open_differences(row))}


def _line(difference: ReconciliationDifference) -> Line:
    return difference.out_trade_no, difference.trade_no, difference.out_request_no


def _locked(session: Session, *where: Any) -> Reconciliation | None:
    query = select(Reconciliation).where(*where).with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).first()
