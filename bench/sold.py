"""A shop that has sold for years: so many orders with all that hangs on them, consistent to the fen (PostgreSQL).

Of a hundred orders in a row 87 were paid, with one line or two: ten with two coupons and 贝里, five refunded whole, two
paid twice and the second payment sent back, one for a degree. One waits, twelve ended unpaid. Five orders an account.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

ORDERS_EACH = 5  # orders of an account
PRICE, BOUND, SITE, BELI = 9_900, 2_000, 1_000, 5  # fen, fen, fen, 贝里 (one is a yuan)

# What order n (0 …) is: m is its place among a hundred, k the how manieth of its account.
KINDS = """
CREATE UNLOGGED TABLE sold AS
SELECT n + 1 AS id, n % :accounts + 1 AS account_id, n / :accounts AS k, n % 100 AS m,
       CASE WHEN n % 100 = 69 OR n % 2 = 0 THEN 1 ELSE 2 END AS lines,
       n % 100 BETWEEN 70 AND 79 AS has_coupons,
       n % 100 BETWEEN 70 AND 84 OR n % 100 >= 95 AS has_beli,
       CASE WHEN n % 100 < 80 THEN 0 WHEN n % 100 < 85 THEN 3 WHEN n % 100 < 87 THEN 0 WHEN n % 100 = 87 THEN 1
            WHEN n % 2 = 0 THEN 4 ELSE 5 END AS status,
       timestamptz '2024-01-01 00:00+08' + n * interval '1 minute' AS at
FROM generate_series(0, :orders - 1) AS n
"""
AMOUNTS = f"""
ALTER TABLE sold ADD list_fen int, ADD bound_fen int, ADD site_fen int, ADD beli int, ADD due_fen int;
UPDATE sold SET list_fen = lines * {PRICE}, beli = has_beli::int * {BELI},
  bound_fen = has_coupons::int * {BOUND}, site_fen = has_coupons::int * {SITE};
UPDATE sold SET due_fen = list_fen - bound_fen - site_fen - beli * 100;
CREATE UNIQUE INDEX ON sold (id)
"""  # noqa: S608  numbers of this file
# One line has all of what is taken off its order, so that nothing needs to be spread.
LINES = """
CREATE UNLOGGED TABLE sold_line AS
SELECT id * 2 - 1 AS id, sold.id AS order_id, account_id, k, m, status, at,
       CASE WHEN m = 69 THEN (:degrees)[k + 1] ELSE (:courses)[k + 1] END AS product_id,
       bound_fen, site_fen, beli, has_coupons
FROM sold
UNION ALL
SELECT id * 2, id, account_id, k, m, status, at, (:courses)[k + 6], 0, 0, 0, false FROM sold WHERE lines = 2
"""

ROWS = {
    "account": """(id, username, email, password, uid, role, balance, session_epoch, is_active, is_staff, name, gender,
                   degree, head_img, signature, brief, date_joined)
        SELECT n, 'buyer' || n, 'buyer' || n || '@example.com', 'x', 'buyer' || n, 0, 0, 0, true, false, '', 0,
               '', '', '', '', timestamptz '2023-12-01' FROM generate_series(1, :accounts) AS n""",
    "orders": """(id, order_number, account_id, status, payment_type, payment_number, list_amount_fen,
                  course_discount_fen, site_discount_fen, beli, beli_fen, actual_amount_fen, settlement_token,
                  date, expires_at, pay_time, cancel_time)
        SELECT id, 'O' || id, account_id, status, 1, CASE WHEN status IN (0, 3) THEN 'T' || id END, list_fen,
               bound_fen, site_fen, beli, beli * 100, due_fen, 'token' || id,
               at, at + interval '15 minutes', CASE WHEN status IN (0, 3) THEN at END,
               CASE WHEN status IN (4, 5) THEN at + interval '17 minutes' END FROM sold""",
    "coupon": """(id, name, coupon_type, money_equivalent_fen, minimum_consume_fen, product_id, quantity, claimed,
                  open_date, close_date, valid_begin_date, valid_end_date, is_public, enabled, published_time, date)
        SELECT n, 'coupon' || n, 0, CASE WHEN n <= 5 THEN 2000 ELSE 1000 END, 0,
               CASE WHEN n <= 5 THEN (:courses)[n] END, :accounts, :accounts,
               '2023-12-01', '2033-12-01', '2023-12-01', '2033-12-01', true, true, timestamptz '2023-12-01',
               timestamptz '2023-12-01'
        FROM generate_series(1, 10) AS n""",
    "coupon_record": """(id, coupon_id, number, account_id, status, get_time, used_time, order_id, valid_from,
                         valid_until)
        SELECT id * 2 - 1 + place, k + 1 + place * 5, 'C' || id || '-' || place, account_id, has_coupons::int, at,
               CASE WHEN has_coupons THEN at END, CASE WHEN has_coupons THEN id END, at, at + interval '9 years'
        FROM sold, generate_series(0, 1) AS place""",
    "order_detail": """(id, order_id, product_id, pending_account_id, original_price_fen, price_fen, site_discount_fen,
                        beli, beli_fen, actual_amount_fen, coupon_record_id, site_coupon_record_id,
                        valid_period_display, valid_period)
        SELECT id, order_id, product_id, CASE WHEN status = 1 THEN account_id END, 9900, 9900 - bound_fen, site_fen,
               beli, beli * 100, 9900 - bound_fen - site_fen - beli * 100,
               CASE WHEN has_coupons THEN order_id * 2 - 1 END, CASE WHEN has_coupons THEN order_id * 2 END,
               '1个月', 30 FROM sold_line""",
    "payment": """(id, order_id, out_trade_no, method, amount_fen, biz_content, state, trade_no, created_time,
                   expires_at, paid_time, next_ask_time)
        SELECT id, id, 'O' || id || '01', 0, due_fen, '{}'::json,
               CASE WHEN status IN (0, 3) THEN 1 WHEN status = 1 THEN 0 ELSE 2 END,
               CASE WHEN status IN (0, 3) THEN 'T' || id END, at, at + interval '15 minutes',
               CASE WHEN status IN (0, 3) THEN at END, CASE WHEN status = 1 THEN at END FROM sold
        UNION ALL
        SELECT :orders + id, id, 'O' || id || '02', 0, due_fen, '{}'::json, 3, 'D' || id, at,
               at + interval '15 minutes', at, null FROM sold WHERE m IN (85, 86)""",
    "payment_notice": """(id, notify_id, payment_id, out_trade_no, trade_no, trade_status, params, verdict, reason,
                          received_time)
        SELECT id, 'N' || id, id, out_trade_no, trade_no, 'TRADE_SUCCESS', '{}'::json, 0, 'paid', paid_time
        FROM payment WHERE state IN (1, 3)""",
    "refund": """(id, order_id, payment_id, cause, out_request_no, amount_fen, beli, state, reason, decision,
                  requested_time, decided_time, done_time, tries, error)
        SELECT id, id, id, 0, 'R' || id, due_fen, beli, 3, 'why', 'yes', at, at, at, 1, '' FROM sold WHERE status = 3
        UNION ALL
        SELECT :orders + id, id, :orders + id, 2, 'R' || id || 'DOUBLE', due_fen, 0, 3, 'paid already', '', at, at, at,
               1, '' FROM sold WHERE m IN (85, 86)""",
    "refund_detail": """(id, refund_id, order_detail_id, amount_fen, beli)
        SELECT l.id, l.order_id, l.id, d.actual_amount_fen, d.beli
        FROM sold_line l JOIN order_detail d ON d.id = l.id WHERE l.status = 3""",
    "enrolled_course": """(id, account_id, course_id, enrolled_date, valid_begin_date, valid_end_date, status,
                           order_detail_id, closed_time)
        SELECT id, account_id, product_id, at, at::date, at::date + 30, 0, id, CASE WHEN status = 3 THEN at END
        FROM sold_line WHERE status IN (0, 3) AND m <> 69""",
    "enrolled_degree_course": """(id, account_id, degree_course_id, enrolled_date, study_status, mentor_fee_balance,
                                  order_detail_id)
        SELECT id, account_id, product_id, at, 4, 0, id FROM sold_line WHERE m = 69""",
    "study_record": """(enrolled_degree_course_id, course_module_id, status)
        SELECT e.id, c.id, 1 FROM enrolled_degree_course e JOIN course c USING (degree_course_id)""",
    # everybody gets 贝里 first; what an ended order took comes back, as what a refunded line cost
    "transaction_record": """(account_id, amount, balance_after, transaction_type, transaction_number, order_id,
                              refund_id, date)
        SELECT account_id, amount, sum(CASE WHEN kind IN (0, 2) THEN amount ELSE -amount END) OVER so_far, kind,
               'M' || row_number() OVER (ORDER BY at, account_id, step), order_id, refund_id, at
        FROM (
          SELECT n AS account_id, 100 AS amount, 0 AS kind, null::int AS order_id, null::int AS refund_id, 0 AS step,
                 timestamptz '2023-12-01' AS at FROM generate_series(1, :accounts) AS n
          UNION ALL SELECT account_id, beli, 1, id, null, 1, at FROM sold WHERE beli > 0
          UNION ALL SELECT account_id, beli, 2, id, CASE WHEN status = 3 THEN id END, 2, at
                    FROM sold WHERE beli > 0 AND status IN (3, 4, 5)
        ) AS moves
        WINDOW so_far AS (PARTITION BY account_id ORDER BY at, step)
        ORDER BY at, account_id, step""",
}
BALANCES = """
UPDATE account SET balance = sums.sum FROM (
  SELECT account_id, sum(CASE WHEN transaction_type IN (0, 2) THEN amount ELSE -amount END) FROM transaction_record
  GROUP BY account_id) AS sums WHERE sums.account_id = account.id
"""


def fill(connection: Connection, orders: int, *, courses: list[int], degrees: list[int]) -> None:
    """Fill an empty shop that has ten courses and five degrees; ``orders`` is a multiple of 500. Commits."""
    # Foreign keys hold by construction; checking each of millions of rows would take minutes.
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    values = {"orders": orders, "accounts": orders // ORDERS_EACH, "courses": courses, "degrees": degrees}
    inserts = (f"INSERT INTO {table} {rows}" for table, rows in ROWS.items())
    for statement in (KINDS, AMOUNTS, LINES, *inserts, BALANCES, "DROP TABLE sold, sold_line"):
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(text(statement), used)
    connection.commit()
    for table in ROWS:
        connection.execute(text(f"ANALYZE {table}"))
    connection.commit()
