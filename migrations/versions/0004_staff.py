"""Staff: roles, a second factor, two persons for large refunds, gifts by hand, notes on orders, people who are deleted;
their data to take along, visits by step, drafts; and an audit log that nobody can change."""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

# Whoever was staff until now could do all there was; who manages accounts gives out the roles from now on.
FIRST_ADMINS = """
INSERT INTO staff_role (account_id, role, granted_time) SELECT id, 4, CURRENT_TIMESTAMP FROM account WHERE is_staff
"""
# The desk counts what is open; lists of staff are read in the order of these.
LISTED_BY = (
    ("refund", ("requested_time", "id")),
    ("refund", ("state", "requested_time", "id")),
    ("trouble", ("resolved_time", "found_time")),
    ("withdrawal", ("state", "requested_time", "id")),
    ("audit_log", ("actor", "id")),
)
PUBLISHED_SINCE = {"product": "CURRENT_TIMESTAMP", "coupon": "date"}
REFUSE_ON_SQLITE = """
CREATE TRIGGER audit_log_no_{verb} BEFORE {verb} ON audit_log BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END
"""
REFUSAL_ON_POSTGRESQL = """
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$
"""
REFUSE_ON_POSTGRESQL = """
CREATE TRIGGER audit_log_no_{verb} BEFORE {verb} ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()
"""


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _seal_audit_log() -> None:
    if _is_postgresql():
        op.execute(REFUSAL_ON_POSTGRESQL)
        for verb in ("update", "delete", "truncate"):
            op.execute(REFUSE_ON_POSTGRESQL.format(verb=verb))
    else:
        for verb in ("update", "delete"):
            op.execute(REFUSE_ON_SQLITE.format(verb=verb))


def _unseal_audit_log() -> None:
    if _is_postgresql():
        op.execute("DROP FUNCTION audit_log_is_append_only() CASCADE")
    else:
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER audit_log_no_{verb}")


def upgrade() -> None:
    op.create_table('recovery_code',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('used_time', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_recovery_code_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recovery_code')),
    sa.UniqueConstraint('digest', name=op.f('uq_recovery_code_digest'))
    )
    with op.batch_alter_table('recovery_code', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_recovery_code_account_id'), ['account_id'], unique=False)

    op.create_table('second_factor',
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('secret', sa.String(length=64), nullable=False),
    sa.Column('last_step', sa.Integer(), nullable=False),
    sa.Column('confirmed_time', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_second_factor_account_id')),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_second_factor'))
    )
    op.create_table('staff_role',
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('role', sa.SmallInteger(), nullable=False),
    sa.Column('granted_time', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('"role" IN (0, 1, 2, 3, 4)', name=op.f('ck_staff_role_role_choice')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_staff_role_account_id')),
    sa.PrimaryKeyConstraint('account_id', 'role', name=op.f('pk_staff_role'))
    )
    op.create_table('gift',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.SmallInteger(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('beli', sa.Integer(), nullable=True),
    sa.Column('coupon_id', sa.Integer(), nullable=True),
    sa.Column('reason', sa.String(length=255), nullable=False),
    sa.Column('state', sa.SmallInteger(), nullable=False),
    sa.Column('proposer_id', sa.Integer(), nullable=False),
    sa.Column('handler_id', sa.Integer(), nullable=True),
    sa.Column('decision', sa.String(length=255), nullable=False),
    sa.Column('proposed_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('"kind" IN (0, 1)', name=op.f('ck_gift_kind_choice')),
    sa.CheckConstraint('"state" IN (0, 1, 2)', name=op.f('ck_gift_state_choice')),
    sa.CheckConstraint('(kind = 1) = (coupon_id IS NOT NULL)', name=op.f('ck_gift_coupon_by_kind')),
    sa.CheckConstraint('(state = 0) = (decided_time IS NULL)', name=op.f('ck_gift_decided_has_time')),
    sa.CheckConstraint('CASE kind WHEN 0 THEN beli > 0 ELSE beli IS NULL END', name=op.f('ck_gift_beli_by_kind')),
    sa.CheckConstraint('handler_id <> proposer_id', name=op.f('ck_gift_two_persons')),
    sa.CheckConstraint('proposer_id <> account_id AND handler_id <> account_id', name=op.f('ck_gift_nothing_for_oneself')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_gift_account_id')),
    sa.ForeignKeyConstraint(['coupon_id'], ['coupon.id'], name=op.f('fk_gift_coupon_id')),
    sa.ForeignKeyConstraint(['handler_id'], ['account.id'], name=op.f('fk_gift_handler_id')),
    sa.ForeignKeyConstraint(['proposer_id'], ['account.id'], name=op.f('fk_gift_proposer_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_gift'))
    )
    with op.batch_alter_table('gift', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_gift_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_gift_coupon_id'), ['coupon_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_gift_handler_id'), ['handler_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_gift_proposer_id'), ['proposer_id'], unique=False)
        batch_op.create_index('ix_gift_waiting', ['id'], unique=False, sqlite_where=sa.text('state = 0'), postgresql_where=sa.text('state = 0'))

    op.create_table('order_note',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('order_id', sa.Integer(), nullable=False),
    sa.Column('author_id', sa.Integer(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('follow_up_date', sa.Date(), nullable=True),
    sa.Column('done_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['author_id'], ['account.id'], name=op.f('fk_order_note_author_id')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_order_note_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_order_note'))
    )
    with op.batch_alter_table('order_note', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_order_note_author_id'), ['author_id'], unique=False)
        batch_op.create_index('ix_order_note_due', ['follow_up_date'], unique=False, sqlite_where=sa.text('follow_up_date IS NOT NULL AND done_time IS NULL'), postgresql_where=sa.text('follow_up_date IS NOT NULL AND done_time IS NULL'))
        batch_op.create_index(batch_op.f('ix_order_note_order_id'), ['order_id'], unique=False)

    with op.batch_alter_table('account', schema=None) as batch_op:
        batch_op.add_column(sa.Column('deleted_time', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('degree_registration_form', schema=None) as batch_op:
        batch_op.add_column(sa.Column('erased_time', sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column('work_experience',
               existing_type=sa.SMALLINT(),
               nullable=True)
        batch_op.create_check_constraint(batch_op.f('ck_degree_registration_form_erased_or_complete'), 'work_experience IS NOT NULL OR erased_time IS NOT NULL')

    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_orders_actual_amount_fen_id'), ['actual_amount_fen', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_orders_date_id'), ['date', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_orders_pay_time_id'), ['pay_time', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_orders_status_date_id'), ['status', 'date', 'id'], unique=False)

    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.add_column(sa.Column('asked_by_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('first_approver_id', sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f('ix_refund_asked_by_id'), ['asked_by_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_refund_done_time'), ['done_time'], unique=False)
        batch_op.create_index(batch_op.f('ix_refund_first_approver_id'), ['first_approver_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_refund_first_approver_id'), 'account', ['first_approver_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_refund_asked_by_id'), 'account', ['asked_by_id'], ['id'])
        batch_op.create_check_constraint(batch_op.f('ck_refund_two_persons'), 'first_approver_id <> handler_id')

    with op.batch_alter_table('homework_submission', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_homework_submission_submitted_time'), ['submitted_time'], unique=False)

    with op.batch_alter_table('score_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_score_record_purse_date'), ['purse', 'date'], unique=False)
        batch_op.create_index('ix_score_record_received', ['applied_date'], unique=False, sqlite_where=sa.text('received_score > 0'), postgresql_where=sa.text('received_score > 0'))

    with op.batch_alter_table('transaction_record', schema=None) as batch_op:
        batch_op.add_column(sa.Column('gift_id', sa.Integer(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f('uq_transaction_record_gift_id'), ['gift_id'])
        batch_op.create_foreign_key(batch_op.f('fk_transaction_record_gift_id'), 'gift', ['gift_id'], ['id'])

    op.create_table('visit_count',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('step', sa.SmallInteger(), nullable=False),
    sa.Column('people', sa.Integer(), nullable=False),
    sa.CheckConstraint('"step" IN (0, 1, 2)', name=op.f('ck_visit_count_step_choice')),
    sa.CheckConstraint('people >= 0', name=op.f('ck_visit_count_people_not_negative')),
    sa.PrimaryKeyConstraint('day', 'step', name=op.f('pk_visit_count'))
    )
    op.create_table('data_export',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('created_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('expires_at > created_time', name=op.f('ck_data_export_expires_later')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_data_export_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_data_export')),
    sa.UniqueConstraint('digest', name=op.f('uq_data_export_digest'))
    )
    with op.batch_alter_table('data_export', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_data_export_account_id'), ['account_id'], unique=False)

    # What there is has been published; drafts come with this version.
    for table, since in PUBLISHED_SINCE.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('published_time', sa.DateTime(timezone=True), nullable=True))
        op.execute(f"UPDATE {table} SET published_time = {since}")
    with op.batch_alter_table('product', schema=None) as batch_op:
        batch_op.create_check_constraint(batch_op.f('ck_product_shown_is_published'), 'status = 1 OR published_time IS NOT NULL')
    with op.batch_alter_table('coupon', schema=None) as batch_op:
        batch_op.create_check_constraint(batch_op.f('ck_coupon_enabled_is_published'), 'NOT enabled OR published_time IS NOT NULL')
    with op.batch_alter_table('coupon_code', schema=None) as batch_op:
        batch_op.add_column(sa.Column('created_time', sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE coupon_code SET created_time = CURRENT_TIMESTAMP")
    with op.batch_alter_table('coupon_code', schema=None) as batch_op:
        batch_op.alter_column('created_time', existing_type=sa.DateTime(timezone=True), nullable=False)
    with op.batch_alter_table('coupon_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_coupon_record_coupon_id_id'), ['coupon_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_coupon_record_coupon_id_status'), ['coupon_id', 'status'], unique=False)

    for table, columns in LISTED_BY:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.create_index(batch_op.f('ix_' + '_'.join((table, *columns))), list(columns), unique=False)
    with op.batch_alter_table('reconciliation_difference', schema=None) as batch_op:
        batch_op.create_index('ix_reconciliation_difference_open', ['resolved_time', 'is_healed'], unique=False)

    op.execute(FIRST_ADMINS)
    _seal_audit_log()


def downgrade() -> None:
    _unseal_audit_log()
    with op.batch_alter_table('reconciliation_difference', schema=None) as batch_op:
        batch_op.drop_index('ix_reconciliation_difference_open')
    for table, columns in LISTED_BY:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_index(batch_op.f('ix_' + '_'.join((table, *columns))))

    with op.batch_alter_table('coupon_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_coupon_record_coupon_id_status'))
        batch_op.drop_index(batch_op.f('ix_coupon_record_coupon_id_id'))
    with op.batch_alter_table('coupon_code', schema=None) as batch_op:
        batch_op.drop_column('created_time')

    for table, check in (('product', 'shown_is_published'), ('coupon', 'enabled_is_published')):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_constraint(batch_op.f(f'ck_{table}_{check}'), type_='check')
            batch_op.drop_column('published_time')

    with op.batch_alter_table('data_export', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_data_export_account_id'))

    op.drop_table('data_export')
    op.drop_table('visit_count')
    with op.batch_alter_table('transaction_record', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_transaction_record_gift_id'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('uq_transaction_record_gift_id'), type_='unique')
        batch_op.drop_column('gift_id')

    with op.batch_alter_table('score_record', schema=None) as batch_op:
        batch_op.drop_index('ix_score_record_received', sqlite_where=sa.text('received_score > 0'), postgresql_where=sa.text('received_score > 0'))
        batch_op.drop_index(batch_op.f('ix_score_record_purse_date'))

    with op.batch_alter_table('homework_submission', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_homework_submission_submitted_time'))

    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_refund_two_persons'), type_='check')
        batch_op.drop_constraint(batch_op.f('fk_refund_asked_by_id'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_refund_first_approver_id'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_refund_done_time'))
        batch_op.drop_index(batch_op.f('ix_refund_first_approver_id'))
        batch_op.drop_index(batch_op.f('ix_refund_asked_by_id'))
        batch_op.drop_column('first_approver_id')
        batch_op.drop_column('asked_by_id')

    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_orders_status_date_id'))
        batch_op.drop_index(batch_op.f('ix_orders_pay_time_id'))
        batch_op.drop_index(batch_op.f('ix_orders_date_id'))
        batch_op.drop_index(batch_op.f('ix_orders_actual_amount_fen_id'))

    op.execute("UPDATE degree_registration_form SET work_experience = 0 WHERE work_experience IS NULL")
    with op.batch_alter_table('degree_registration_form', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_degree_registration_form_erased_or_complete'), type_='check')
        batch_op.alter_column('work_experience',
               existing_type=sa.SMALLINT(),
               nullable=False)
        batch_op.drop_column('erased_time')

    with op.batch_alter_table('account', schema=None) as batch_op:
        batch_op.drop_column('deleted_time')

    with op.batch_alter_table('order_note', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_order_note_order_id'))
        batch_op.drop_index('ix_order_note_due', sqlite_where=sa.text('follow_up_date IS NOT NULL AND done_time IS NULL'), postgresql_where=sa.text('follow_up_date IS NOT NULL AND done_time IS NULL'))
        batch_op.drop_index(batch_op.f('ix_order_note_author_id'))

    op.drop_table('order_note')
    with op.batch_alter_table('gift', schema=None) as batch_op:
        batch_op.drop_index('ix_gift_waiting', sqlite_where=sa.text('state = 0'), postgresql_where=sa.text('state = 0'))
        batch_op.drop_index(batch_op.f('ix_gift_proposer_id'))
        batch_op.drop_index(batch_op.f('ix_gift_handler_id'))
        batch_op.drop_index(batch_op.f('ix_gift_coupon_id'))
        batch_op.drop_index(batch_op.f('ix_gift_account_id'))

    op.drop_table('gift')
    op.drop_table('staff_role')
    op.drop_table('second_factor')
    with op.batch_alter_table('recovery_code', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_recovery_code_account_id'))

    op.drop_table('recovery_code')
