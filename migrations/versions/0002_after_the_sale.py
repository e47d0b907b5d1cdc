"""After the sale: which coupons served a line, when Alipay is asked next, refunds under way, money without a home,
bills, letters, password links, and how the jobs fare."""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


# What living orders hold is known from the records; which coupons an ended order had is not.
LINE_COUPONS = """
UPDATE order_detail SET coupon_record_id = (
  SELECT r.id FROM coupon_record r JOIN coupon c ON c.id = r.coupon_id
  WHERE r.order_id = order_detail.order_id AND c.product_id = order_detail.product_id)
"""
SITE_COUPONS = """
UPDATE order_detail SET site_coupon_record_id = (
  SELECT r.id FROM coupon_record r JOIN coupon c ON c.id = r.coupon_id
  WHERE r.order_id = order_detail.order_id AND c.product_id IS NULL)
WHERE site_discount_fen > 0 OR (SELECT o.site_discount_fen FROM orders o WHERE o.id = order_detail.order_id) = 0
"""
ASK_ABOUT_OPEN_ATTEMPTS = "UPDATE payment SET next_ask_time = created_time WHERE state = 0"


def upgrade() -> None:
    op.create_table('audit_run',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('started_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seconds', sa.Double(), nullable=False),
    sa.Column('checks', sa.Integer(), nullable=False),
    sa.Column('findings', sa.JSON(), nullable=False),
    sa.Column('notices', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_run'))
    )
    op.create_table('job_run',
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('started_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('succeeded_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('seconds', sa.Double(), nullable=False),
    sa.Column('runs', sa.Integer(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('counts', sa.JSON(), nullable=False),
    sa.Column('error', sa.String(length=255), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_job_run'))
    )
    op.create_table('nightly_run',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('night', sa.Date(), nullable=False),
    sa.Column('started_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('leased_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('steps', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_nightly_run')),
    sa.UniqueConstraint('night', name=op.f('uq_nightly_run_night'))
    )
    op.create_table('reconciliation',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('bill_date', sa.Date(), nullable=False),
    sa.Column('run_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('runs', sa.Integer(), nullable=False),
    sa.Column('summary', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reconciliation')),
    sa.UniqueConstraint('bill_date', name=op.f('uq_reconciliation_bill_date'))
    )
    op.create_table('mail',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=True),
    sa.Column('address', sa.String(length=254), nullable=False),
    sa.Column('subject', sa.String(length=255), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('message_id', sa.String(length=128), nullable=False),
    sa.Column('state', sa.SmallInteger(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_try_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=255), nullable=False),
    sa.CheckConstraint('"state" IN (0, 1, 2, 3, 4)', name=op.f('ck_mail_state_choice')),
    sa.CheckConstraint('(state = 2) = (sent_time IS NOT NULL)', name=op.f('ck_mail_sent_has_time')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_mail_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mail')),
    sa.UniqueConstraint('message_id', name=op.f('uq_mail_message_id'))
    )
    with op.batch_alter_table('mail', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_mail_account_id'), ['account_id'], unique=False)
        batch_op.create_index('ix_mail_waiting', ['next_try_time'], unique=False, sqlite_where=sa.text('state = 0'), postgresql_where=sa.text('state = 0'))
        batch_op.create_index('ix_mail_unsent', ['state'], unique=False, sqlite_where=sa.text('state <> 2'), postgresql_where=sa.text('state <> 2'))

    op.create_table('password_reset',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('token_digest', sa.String(length=64), nullable=False),
    sa.Column('created_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_time', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_password_reset_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_password_reset')),
    sa.UniqueConstraint('token_digest', name=op.f('uq_password_reset_token_digest'))
    )
    with op.batch_alter_table('password_reset', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_password_reset_account_id'), ['account_id'], unique=False)

    op.create_table('reconciliation_difference',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('reconciliation_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.SmallInteger(), nullable=False),
    sa.Column('out_trade_no', sa.String(length=64), nullable=False),
    sa.Column('trade_no', sa.String(length=64), nullable=False),
    sa.Column('out_request_no', sa.String(length=64), nullable=False),
    sa.Column('bill_fen', sa.Integer(), nullable=True),
    sa.Column('shop_fen', sa.Integer(), nullable=True),
    sa.Column('is_healed', sa.Boolean(), nullable=False),
    sa.Column('note', sa.String(length=255), nullable=False),
    sa.Column('handler_id', sa.Integer(), nullable=True),
    sa.Column('resolved_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolution', sa.String(length=255), nullable=False),
    sa.CheckConstraint('"kind" IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)', name=op.f('ck_reconciliation_difference_kind_choice')),
    sa.ForeignKeyConstraint(['handler_id'], ['account.id'], name=op.f('fk_reconciliation_difference_handler_id')),
    sa.ForeignKeyConstraint(['reconciliation_id'], ['reconciliation.id'], name=op.f('fk_reconciliation_difference_reconciliation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reconciliation_difference')),
    sa.UniqueConstraint('reconciliation_id', 'kind', 'out_trade_no', 'trade_no', 'out_request_no', name=op.f('uq_reconciliation_difference_line'))
    )
    with op.batch_alter_table('reconciliation_difference', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_reconciliation_difference_handler_id'), ['handler_id'], unique=False)

    op.create_table('trouble',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.SmallInteger(), nullable=False),
    sa.Column('payment_id', sa.Integer(), nullable=True),
    sa.Column('out_trade_no', sa.String(length=64), nullable=False),
    sa.Column('trade_no', sa.String(length=64), nullable=False),
    sa.Column('out_request_no', sa.String(length=64), nullable=False),
    sa.Column('amount_fen', sa.Integer(), nullable=False),
    sa.Column('found_by', sa.String(length=16), nullable=False),
    sa.Column('found_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('handler_id', sa.Integer(), nullable=True),
    sa.Column('resolved_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolution', sa.String(length=255), nullable=False),
    sa.CheckConstraint('"kind" IN (0, 1, 2, 3)', name=op.f('ck_trouble_kind_choice')),
    sa.ForeignKeyConstraint(['handler_id'], ['account.id'], name=op.f('fk_trouble_handler_id')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_trouble_payment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trouble')),
    sa.UniqueConstraint('kind', 'out_trade_no', 'trade_no', 'out_request_no', name=op.f('uq_trouble_kind_out_trade_no_trade_no_out_request_no'))
    )
    with op.batch_alter_table('trouble', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_trouble_handler_id'), ['handler_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_trouble_payment_id'), ['payment_id'], unique=False)

    with op.batch_alter_table('notification', schema=None) as batch_op:
        batch_op.add_column(sa.Column('facts', sa.JSON(), nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('event', sa.String(length=128), nullable=True))
        batch_op.create_unique_constraint(batch_op.f('uq_notification_event'), ['event'])
        batch_op.create_index('ix_notification_unread', ['account_id'], unique=False, sqlite_where=sa.text('read_time IS NULL'), postgresql_where=sa.text('read_time IS NULL'))

    with op.batch_alter_table('coupon_record', schema=None) as batch_op:
        batch_op.create_index('ix_coupon_record_unused', ['valid_until'], unique=False, sqlite_where=sa.text('status = 0'), postgresql_where=sa.text('status = 0'))

    with op.batch_alter_table('enrolled_course', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_enrolled_course_valid_end_date'), ['valid_end_date'], unique=False)

    with op.batch_alter_table('order_detail', schema=None) as batch_op:
        batch_op.add_column(sa.Column('coupon_record_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('site_coupon_record_id', sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f('ix_order_detail_coupon_record_id'), ['coupon_record_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_order_detail_site_coupon_record_id'), ['site_coupon_record_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_order_detail_coupon_record_id'), 'coupon_record', ['coupon_record_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_order_detail_site_coupon_record_id'), 'coupon_record', ['site_coupon_record_id'], ['id'])

    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('next_ask_time', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index('ix_payment_surplus', ['id'], unique=False, sqlite_where=sa.text('state = 3'), postgresql_where=sa.text('state = 3'))
        batch_op.create_index('ix_payment_to_ask', ['next_ask_time'], unique=False, sqlite_where=sa.text('next_ask_time IS NOT NULL'), postgresql_where=sa.text('next_ask_time IS NOT NULL'))

    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.add_column(sa.Column('trouble_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('cause', sa.SmallInteger(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('tries', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('next_try_time', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('leased_until', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('error', sa.String(length=64), nullable=False, server_default=''))
        batch_op.create_index('ix_refund_to_try', ['next_try_time'], unique=False, sqlite_where=sa.text('next_try_time IS NOT NULL'), postgresql_where=sa.text('next_try_time IS NOT NULL'))
        batch_op.create_index(batch_op.f('ix_refund_trouble_id'), ['trouble_id'], unique=False)
        batch_op.create_index('uq_refund_running_order_id', ['order_id'], unique=True, sqlite_where=sa.text('cause IN (0, 4) AND state IN (0, 1, 2, 4)'), postgresql_where=sa.text('cause IN (0, 4) AND state IN (0, 1, 2, 4)'))
        batch_op.create_foreign_key(batch_op.f('fk_refund_trouble_id'), 'trouble', ['trouble_id'], ['id'])
        batch_op.create_check_constraint(batch_op.f('ck_refund_cause_choice'), '"cause" IN (0, 1, 2, 3, 4, 5)')
        batch_op.create_check_constraint(batch_op.f('ck_refund_done_has_time'), '(state = 3) = (done_time IS NOT NULL)')

    # the defaults above are for the rows that were there; the shop gives every value itself
    with op.batch_alter_table('notification', schema=None) as batch_op:
        batch_op.alter_column('facts', existing_type=sa.JSON(), existing_nullable=False, server_default=None)
    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.alter_column('tries', existing_type=sa.Integer(), existing_nullable=False, server_default=None)
        batch_op.alter_column('cause', existing_type=sa.SmallInteger(), existing_nullable=False, server_default=None)
        batch_op.alter_column('error', existing_type=sa.String(length=64), existing_nullable=False, server_default=None)
    op.execute(LINE_COUPONS)
    op.execute(SITE_COUPONS)
    op.execute(ASK_ABOUT_OPEN_ATTEMPTS)



def downgrade() -> None:
    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_refund_done_has_time'), type_='check')
        batch_op.drop_constraint(batch_op.f('ck_refund_cause_choice'), type_='check')
        batch_op.drop_constraint(batch_op.f('fk_refund_trouble_id'), type_='foreignkey')
        batch_op.drop_index('uq_refund_running_order_id', sqlite_where=sa.text('cause IN (0, 4) AND state IN (0, 1, 2, 4)'), postgresql_where=sa.text('cause IN (0, 4) AND state IN (0, 1, 2, 4)'))
        batch_op.drop_index(batch_op.f('ix_refund_trouble_id'))
        batch_op.drop_index('ix_refund_to_try', sqlite_where=sa.text('next_try_time IS NOT NULL'), postgresql_where=sa.text('next_try_time IS NOT NULL'))
        batch_op.drop_column('error')
        batch_op.drop_column('leased_until')
        batch_op.drop_column('next_try_time')
        batch_op.drop_column('tries')
        batch_op.drop_column('cause')
        batch_op.drop_column('trouble_id')

    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.drop_index('ix_payment_surplus', sqlite_where=sa.text('state = 3'), postgresql_where=sa.text('state = 3'))
        batch_op.drop_index('ix_payment_to_ask', sqlite_where=sa.text('next_ask_time IS NOT NULL'), postgresql_where=sa.text('next_ask_time IS NOT NULL'))
        batch_op.drop_column('next_ask_time')

    with op.batch_alter_table('order_detail', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_order_detail_site_coupon_record_id'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_order_detail_coupon_record_id'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_order_detail_site_coupon_record_id'))
        batch_op.drop_index(batch_op.f('ix_order_detail_coupon_record_id'))
        batch_op.drop_column('site_coupon_record_id')
        batch_op.drop_column('coupon_record_id')

    with op.batch_alter_table('enrolled_course', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_enrolled_course_valid_end_date'))

    with op.batch_alter_table('coupon_record', schema=None) as batch_op:
        batch_op.drop_index('ix_coupon_record_unused', sqlite_where=sa.text('status = 0'), postgresql_where=sa.text('status = 0'))

    with op.batch_alter_table('notification', schema=None) as batch_op:
        batch_op.drop_index('ix_notification_unread', sqlite_where=sa.text('read_time IS NULL'), postgresql_where=sa.text('read_time IS NULL'))
        batch_op.drop_constraint(batch_op.f('uq_notification_event'), type_='unique')
        batch_op.drop_column('event')
        batch_op.drop_column('facts')

    with op.batch_alter_table('trouble', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_trouble_payment_id'))
        batch_op.drop_index(batch_op.f('ix_trouble_handler_id'))

    op.drop_table('trouble')
    with op.batch_alter_table('reconciliation_difference', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_reconciliation_difference_handler_id'))

    op.drop_table('reconciliation_difference')
    with op.batch_alter_table('password_reset', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_password_reset_account_id'))

    op.drop_table('password_reset')
    with op.batch_alter_table('mail', schema=None) as batch_op:
        batch_op.drop_index('ix_mail_unsent', sqlite_where=sa.text('state <> 2'), postgresql_where=sa.text('state <> 2'))
        batch_op.drop_index('ix_mail_waiting', sqlite_where=sa.text('state = 0'), postgresql_where=sa.text('state = 0'))
        batch_op.drop_index(batch_op.f('ix_mail_account_id'))

    op.drop_table('mail')
    op.drop_table('reconciliation')
    op.drop_table('nightly_run')
    op.drop_table('job_run')
    op.drop_table('audit_run')
