"""Refunds that Alipay does not carry out any more, paid back by a transfer: its number, and who has written it down;
gifts by hand that are taken back by who has proposed them."""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def _allow_states_of_gifts(numbers: str) -> None:
    with op.batch_alter_table('gift', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_gift_state_choice'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_gift_state_choice'), f'"state" IN ({numbers})')


def upgrade() -> None:
    _allow_states_of_gifts('0, 1, 2, 3')
    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.add_column(sa.Column('transfer_number', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('transfer_by_id', sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f('ix_refund_transfer_by_id'), ['transfer_by_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_refund_transfer_by_id'), 'account', ['transfer_by_id'], ['id'])
        batch_op.create_unique_constraint(batch_op.f('uq_refund_transfer_number'), ['transfer_number'])
        batch_op.create_check_constraint(batch_op.f('ck_refund_transfer_has_person'), '(transfer_number IS NULL) = (transfer_by_id IS NULL)')
        batch_op.create_check_constraint(batch_op.f('ck_refund_transfer_of_failed_or_done'), 'transfer_number IS NULL OR state IN (3, 4)')


def downgrade() -> None:
    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_refund_transfer_of_failed_or_done'), type_='check')
        batch_op.drop_constraint(batch_op.f('ck_refund_transfer_has_person'), type_='check')
        batch_op.drop_constraint(batch_op.f('uq_refund_transfer_number'), type_='unique')
        batch_op.drop_constraint(batch_op.f('fk_refund_transfer_by_id'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_refund_transfer_by_id'))
        batch_op.drop_column('transfer_by_id')
        batch_op.drop_column('transfer_number')
    op.execute('UPDATE gift SET state = 2 WHERE state = 3')
    _allow_states_of_gifts('0, 1, 2')
