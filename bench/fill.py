"""Rows of other people, in bulk: accounts, each with a paid order, payment, access and a coupon (PostgreSQL)."""

from __future__ import annotations

from redis import Redis
from sqlalchemy import Connection, text

PLACED = "now() - (n % 1000) * interval '1 day'"  # orders of a thousand days, as many each day
# n is the number of a row and its id; it hangs on the rows of the same number.
ROWS = {
    "account": """(id, username, email, password, uid, role, balance, session_epoch, is_active, is_staff, name, gender,
                   degree, head_img, signature, brief, date_joined)
        SELECT n, 'other' || n, 'other' || n || '@example.com', 'x', 'other' || n, 0, 0, 0, true, false, '', 0,
               '', '', '', '', now()""",
    "orders": f"""(id, order_number, account_id, status, payment_type, payment_number, list_amount_fen,
                  course_discount_fen, site_discount_fen, beli, beli_fen, actual_amount_fen, settlement_token,
                  date, expires_at, pay_time)
        SELECT n, 'O' || n, n, 0, 1, 'T' || n, 9900, 0, 0, 0, 0, 9900, 'token' || n,
               {PLACED}, {PLACED}, {PLACED}""",
    "order_detail": """(id, order_id, product_id, original_price_fen, price_fen, site_discount_fen, beli, beli_fen,
                        actual_amount_fen, valid_period_display, valid_period)
        SELECT n, n, :product, 9900, 9900, 0, 0, 0, 9900, '1个月', 30""",
    "payment": """(id, order_id, out_trade_no, method, amount_fen, biz_content, state, trade_no, created_time,
                   expires_at, paid_time)
        SELECT n, n, 'O' || n || '01', 0, 9900, '{}', 1, 'T' || n, now(), now(), now()""",
    "enrolled_course": """(id, account_id, course_id, enrolled_date, valid_begin_date, valid_end_date, status,
                           order_detail_id)
        SELECT n, n, :product, now(), current_date, current_date + 30, 0, n""",
    "coupon_record": """(id, coupon_id, number, account_id, status, get_time, valid_from, valid_until)
        SELECT n, :coupon, 'other' || n, n, 0, now(), now() - interval '1 day', now() + interval '30 days'""",
}
FIRST = 10_000_000  # beyond the ids that the sequences give meanwhile
# One after another in the server: as many round trips would take minutes.
KEYS = """
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  redis.call('HSET', 'cart:{a' .. n .. '}', '1', '{"policy": 1}')
end
"""
KEYS_AT_ONCE = 50_000  # a script that runs longer would hold up everybody


def database(connection: Connection, rows: int, *, product_id: int, coupon_id: int) -> None:
    """Fill each table up to so many rows of others, and let the planner know. Commits."""
    # Foreign keys hold by construction; checking each of millions of rows would take minutes.
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    there = connection.execute(text("SELECT count(*) FROM account WHERE id >= :first"), {"first": FIRST}).scalar_one()
    series = {"first": FIRST + there, "last": FIRST + rows - 1}
    for table, columns_and_values in ROWS.items():
        statement = f"INSERT INTO {table} {columns_and_values} FROM generate_series(:first, :last) AS n"
        names = {"product": product_id, "coupon": coupon_id}
        used = {name: value for name, value in names.items() if f":{name}" in statement}
        connection.execute(text(statement), {**series, **used})
    connection.commit()
    for table in ROWS:
        connection.execute(text(f"ANALYZE {table}"))
    connection.commit()


def redis(client: Redis, keys: int) -> None:
    """Carts of others, up to so many keys."""
    for start in range(FIRST, FIRST + keys, KEYS_AT_ONCE):
        client.eval(KEYS, 0, str(start), str(min(start + KEYS_AT_ONCE, FIRST + keys) - 1))
