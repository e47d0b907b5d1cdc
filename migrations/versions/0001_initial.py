"""Every table of the source and of the field, as the first version of the shop has them."""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('account',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('username', sa.String(length=64), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=True),
    sa.Column('mobile', sa.String(length=20), nullable=True),
    sa.Column('password', sa.String(length=255), nullable=False),
    sa.Column('uid', sa.String(length=64), nullable=False),
    sa.Column('role', sa.SmallInteger(), nullable=False),
    sa.Column('balance', sa.Integer(), nullable=False),
    sa.Column('session_epoch', sa.Integer(), nullable=False),
    sa.Column('is_active', sa.Boolean(), nullable=False),
    sa.Column('is_staff', sa.Boolean(), nullable=False),
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('gender', sa.SmallInteger(), nullable=False),
    sa.Column('degree', sa.String(length=32), nullable=False),
    sa.Column('birthday', sa.Date(), nullable=True),
    sa.Column('id_card', sa.String(length=32), nullable=True),
    sa.Column('qq', sa.String(length=32), nullable=True),
    sa.Column('weixin', sa.String(length=64), nullable=True),
    sa.Column('openid', sa.String(length=128), nullable=True),
    sa.Column('head_img', sa.String(length=255), nullable=False),
    sa.Column('signature', sa.String(length=255), nullable=False),
    sa.Column('brief', sa.Text(), nullable=False),
    sa.Column('memo', sa.String(length=255), nullable=True),
    sa.Column('date_joined', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('"gender" IN (0, 1, 2)', name=op.f('ck_account_gender_choice')),
    sa.CheckConstraint('"role" IN (0, 1, 2, 3)', name=op.f('ck_account_role_choice')),
    sa.CheckConstraint('balance >= 0', name=op.f('ck_account_balance_not_negative')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('email', name=op.f('uq_account_email')),
    sa.UniqueConstraint('mobile', name=op.f('uq_account_mobile')),
    sa.UniqueConstraint('uid', name=op.f('uq_account_uid')),
    sa.UniqueConstraint('username', name=op.f('uq_account_username'))
    )
    op.create_table('course_category',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('order', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_course_category')),
    sa.UniqueConstraint('name', name=op.f('uq_course_category_name'))
    )
    op.create_table('mentor_group',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('brief', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mentor_group')),
    sa.UniqueConstraint('name', name=op.f('uq_mentor_group_name'))
    )
    op.create_table('product',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.SmallInteger(), nullable=False),
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('brief', sa.Text(), nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.CheckConstraint('"kind" IN (0, 1)', name=op.f('ck_product_kind_choice')),
    sa.CheckConstraint('"status" IN (0, 1, 2)', name=op.f('ck_product_status_choice')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_product')),
    sa.UniqueConstraint('kind', 'name', name=op.f('uq_product_kind_name'))
    )
    with op.batch_alter_table('product', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_product_kind_status'), ['kind', 'status'], unique=False)

    op.create_table('score_rule',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('rule', sa.SmallInteger(), nullable=False),
    sa.Column('score_type', sa.SmallInteger(), nullable=False),
    sa.Column('score', sa.Integer(), nullable=False),
    sa.Column('memo', sa.String(length=255), nullable=True),
    sa.CheckConstraint('"rule" IN (0, 1, 2, 3, 4, 5, 6, 7)', name=op.f('ck_score_rule_rule_choice')),
    sa.CheckConstraint('"score_type" IN (0, 1, 2)', name=op.f('ck_score_rule_score_type_choice')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_score_rule')),
    sa.UniqueConstraint('rule', 'score_type', name=op.f('uq_score_rule_rule_score_type'))
    )
    op.create_table('teacher',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('role', sa.SmallInteger(), nullable=False),
    sa.Column('title', sa.String(length=64), nullable=False),
    sa.Column('signature', sa.String(length=255), nullable=False),
    sa.Column('image', sa.String(length=128), nullable=False),
    sa.Column('brief', sa.Text(), nullable=False),
    sa.CheckConstraint('"role" IN (0, 1)', name=op.f('ck_teacher_role_choice')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_teacher')),
    sa.UniqueConstraint('name', name=op.f('uq_teacher_name'))
    )
    op.create_table('audit_log',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=True),
    sa.Column('actor', sa.String(length=64), nullable=False),
    sa.Column('action', sa.String(length=64), nullable=False),
    sa.Column('subject_table', sa.String(length=64), nullable=False),
    sa.Column('subject_id', sa.Integer(), nullable=False),
    sa.Column('before', sa.JSON(), nullable=True),
    sa.Column('after', sa.JSON(), nullable=True),
    sa.Column('reason', sa.String(length=255), nullable=False),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_audit_log_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_log'))
    )
    with op.batch_alter_table('audit_log', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audit_log_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_log_date'), ['date'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_log_subject_table_subject_id'), ['subject_table', 'subject_id'], unique=False)

    op.create_table('coupon',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('brief', sa.Text(), nullable=True),
    sa.Column('coupon_type', sa.SmallInteger(), nullable=False),
    sa.Column('money_equivalent_fen', sa.Integer(), nullable=False),
    sa.Column('off_percent', sa.Integer(), nullable=True),
    sa.Column('minimum_consume_fen', sa.Integer(), nullable=False),
    sa.Column('product_id', sa.Integer(), nullable=True),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('claimed', sa.Integer(), nullable=False),
    sa.Column('open_date', sa.Date(), nullable=False),
    sa.Column('close_date', sa.Date(), nullable=False),
    sa.Column('valid_begin_date', sa.Date(), nullable=True),
    sa.Column('valid_end_date', sa.Date(), nullable=True),
    sa.Column('coupon_valid_days', sa.Integer(), nullable=True),
    sa.Column('is_public', sa.Boolean(), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('"coupon_type" IN (0, 1, 2)', name=op.f('ck_coupon_coupon_type_choice')),
    sa.CheckConstraint('(valid_begin_date IS NULL) = (valid_end_date IS NULL)', name=op.f('ck_coupon_both_dates_or_none')),
    sa.CheckConstraint('CASE coupon_type WHEN 1 THEN minimum_consume_fen > 0 ELSE minimum_consume_fen = 0 END', name=op.f('ck_coupon_minimum_by_type')),
    sa.CheckConstraint('CASE coupon_type WHEN 2 THEN money_equivalent_fen = 0 ELSE money_equivalent_fen > 0 END', name=op.f('ck_coupon_face_by_type')),
    sa.CheckConstraint('CASE coupon_type WHEN 2 THEN off_percent IS NOT NULL AND off_percent BETWEEN 1 AND 99 ELSE off_percent IS NULL END', name=op.f('ck_coupon_percent_by_type')),
    sa.CheckConstraint('claimed >= 0 AND claimed <= quantity', name=op.f('ck_coupon_claims_within_quantity')),
    sa.CheckConstraint('close_date >= open_date', name=op.f('ck_coupon_claim_window')),
    sa.CheckConstraint('coupon_valid_days > 0', name=op.f('ck_coupon_valid_days_positive')),
    sa.CheckConstraint('valid_begin_date IS NOT NULL OR coupon_valid_days IS NOT NULL', name=op.f('ck_coupon_has_a_use_window')),
    sa.CheckConstraint('valid_end_date >= valid_begin_date', name=op.f('ck_coupon_use_window')),
    sa.ForeignKeyConstraint(['product_id'], ['product.id'], name=op.f('fk_coupon_product_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_coupon'))
    )
    with op.batch_alter_table('coupon', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_coupon_is_public_open_date_close_date'), ['is_public', 'open_date', 'close_date'], unique=False)
        batch_op.create_index(batch_op.f('ix_coupon_product_id'), ['product_id'], unique=False)

    op.create_table('course_sub_category',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('category_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(['category_id'], ['course_category.id'], name=op.f('fk_course_sub_category_category_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_course_sub_category')),
    sa.UniqueConstraint('category_id', 'name', name=op.f('uq_course_sub_category_category_id_name'))
    )
    op.create_table('degree_course',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('total_scholarship', sa.Integer(), nullable=False),
    sa.Column('mentor_compensation_bonus', sa.Integer(), nullable=False),
    sa.Column('period', sa.Integer(), nullable=False),
    sa.Column('prerequisite', sa.Text(), nullable=False),
    sa.CheckConstraint('period > 0', name=op.f('ck_degree_course_period_positive')),
    sa.ForeignKeyConstraint(['id'], ['product.id'], name=op.f('fk_degree_course_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_degree_course'))
    )
    op.create_table('mentor_group_member',
    sa.Column('mentor_group_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_mentor_group_member_account_id')),
    sa.ForeignKeyConstraint(['mentor_group_id'], ['mentor_group.id'], name=op.f('fk_mentor_group_member_mentor_group_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('mentor_group_id', 'account_id', name=op.f('pk_mentor_group_member'))
    )
    with op.batch_alter_table('mentor_group_member', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_mentor_group_member_account_id'), ['account_id'], unique=False)

    op.create_table('notification',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('msg_type', sa.SmallInteger(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('link', sa.String(length=255), nullable=False),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.Column('read_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('"msg_type" IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15, 16)', name=op.f('ck_notification_msg_type_choice')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_notification_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notification'))
    )
    with op.batch_alter_table('notification', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_notification_account_id_id'), ['account_id', 'id'], unique=False)

    op.create_table('often_asked_question',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('product_id', sa.Integer(), nullable=False),
    sa.Column('question', sa.String(length=255), nullable=False),
    sa.Column('answer', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['product_id'], ['product.id'], name=op.f('fk_often_asked_question_product_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_often_asked_question')),
    sa.UniqueConstraint('product_id', 'question', name=op.f('uq_often_asked_question_product_id_question'))
    )
    op.create_table('orders',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('order_number', sa.String(length=32), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.Column('payment_type', sa.SmallInteger(), nullable=False),
    sa.Column('payment_number', sa.String(length=128), nullable=True),
    sa.Column('list_amount_fen', sa.Integer(), nullable=False),
    sa.Column('course_discount_fen', sa.Integer(), nullable=False),
    sa.Column('site_discount_fen', sa.Integer(), nullable=False),
    sa.Column('beli', sa.Integer(), nullable=False),
    sa.Column('beli_fen', sa.Integer(), nullable=False),
    sa.Column('actual_amount_fen', sa.Integer(), nullable=False),
    sa.Column('settlement_token', sa.String(length=64), nullable=False),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('pay_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cancel_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('"payment_type" IN (0, 1, 2, 3)', name=op.f('ck_orders_payment_type_choice')),
    sa.CheckConstraint('"status" IN (0, 1, 2, 3, 4, 5)', name=op.f('ck_orders_status_choice')),
    sa.CheckConstraint('course_discount_fen >= 0 AND site_discount_fen >= 0 AND beli >= 0 AND beli_fen >= 0 AND actual_amount_fen >= 0', name=op.f('ck_orders_amounts_not_negative')),
    sa.CheckConstraint('list_amount_fen - course_discount_fen - site_discount_fen - beli_fen = actual_amount_fen', name=op.f('ck_orders_amounts_add_up')),
    sa.CheckConstraint('pay_time IS NULL OR pay_time >= date', name=op.f('ck_orders_paid_after_placed')),
    sa.CheckConstraint('status <> 1 OR (pay_time IS NULL AND cancel_time IS NULL)', name=op.f('ck_orders_pending_has_no_time')),
    sa.CheckConstraint('status NOT IN (0, 2, 3) OR pay_time IS NOT NULL', name=op.f('ck_orders_paid_has_time')),
    sa.CheckConstraint('status NOT IN (4, 5) OR cancel_time IS NOT NULL', name=op.f('ck_orders_ended_has_time')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_orders_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_orders')),
    sa.UniqueConstraint('order_number', name=op.f('uq_orders_order_number')),
    sa.UniqueConstraint('payment_number', name=op.f('uq_orders_payment_number')),
    sa.UniqueConstraint('settlement_token', name=op.f('uq_orders_settlement_token'))
    )
    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_orders_account_id_date'), ['account_id', 'date'], unique=False)
        batch_op.create_index('ix_orders_pending', ['expires_at'], unique=False, sqlite_where=sa.text('status = 1'), postgresql_where=sa.text('status = 1'))

    op.create_table('price_policy',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('product_id', sa.Integer(), nullable=False),
    sa.Column('valid_period', sa.SmallInteger(), nullable=False),
    sa.Column('price_fen', sa.Integer(), nullable=False),
    sa.CheckConstraint('"valid_period" IN (1, 3, 7, 14, 30, 60, 90, 180, 360, 540, 720)', name=op.f('ck_price_policy_valid_period_choice')),
    sa.CheckConstraint('price_fen >= 0', name=op.f('ck_price_policy_price_not_negative')),
    sa.ForeignKeyConstraint(['product_id'], ['product.id'], name=op.f('fk_price_policy_product_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_price_policy')),
    sa.UniqueConstraint('product_id', 'valid_period', name=op.f('uq_price_policy_product_id_valid_period'))
    )
    op.create_table('product_teacher',
    sa.Column('product_id', sa.Integer(), nullable=False),
    sa.Column('teacher_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['product_id'], ['product.id'], name=op.f('fk_product_teacher_product_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['teacher_id'], ['teacher.id'], name=op.f('fk_product_teacher_teacher_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('product_id', 'teacher_id', name=op.f('pk_product_teacher'))
    )
    with op.batch_alter_table('product_teacher', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_product_teacher_teacher_id'), ['teacher_id'], unique=False)

    op.create_table('withdrawal',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('amount', sa.Integer(), nullable=False),
    sa.Column('state', sa.SmallInteger(), nullable=False),
    sa.Column('payee_account', sa.String(length=128), nullable=False),
    sa.Column('payee_name', sa.String(length=64), nullable=False),
    sa.Column('handler_id', sa.Integer(), nullable=True),
    sa.Column('decision', sa.String(length=255), nullable=False),
    sa.Column('requested_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('"state" IN (0, 1, 2)', name=op.f('ck_withdrawal_state_choice')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_withdrawal_amount_positive')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_withdrawal_account_id')),
    sa.ForeignKeyConstraint(['handler_id'], ['account.id'], name=op.f('fk_withdrawal_handler_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_withdrawal'))
    )
    with op.batch_alter_table('withdrawal', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_withdrawal_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_withdrawal_handler_id'), ['handler_id'], unique=False)

    op.create_table('coupon_record',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('coupon_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=64), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.Column('get_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('order_id', sa.Integer(), nullable=True),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('"status" IN (0, 1, 2)', name=op.f('ck_coupon_record_status_choice')),
    sa.CheckConstraint('(status = 1) = (order_id IS NOT NULL)', name=op.f('ck_coupon_record_used_has_order')),
    sa.CheckConstraint('(status = 1) = (used_time IS NOT NULL)', name=op.f('ck_coupon_record_used_has_time')),
    sa.CheckConstraint('valid_until >= valid_from', name=op.f('ck_coupon_record_use_window')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_coupon_record_account_id')),
    sa.ForeignKeyConstraint(['coupon_id'], ['coupon.id'], name=op.f('fk_coupon_record_coupon_id')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_coupon_record_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_coupon_record')),
    sa.UniqueConstraint('coupon_id', 'account_id', name=op.f('uq_coupon_record_coupon_id_account_id')),
    sa.UniqueConstraint('number', name=op.f('uq_coupon_record_number'))
    )
    with op.batch_alter_table('coupon_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_coupon_record_account_id_status'), ['account_id', 'status'], unique=False)
        batch_op.create_index(batch_op.f('ix_coupon_record_order_id'), ['order_id'], unique=False)

    op.create_table('course',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('sub_category_id', sa.Integer(), nullable=False),
    sa.Column('course_type', sa.SmallInteger(), nullable=False),
    sa.Column('degree_course_id', sa.Integer(), nullable=True),
    sa.Column('level', sa.SmallInteger(), nullable=False),
    sa.Column('pub_date', sa.Date(), nullable=True),
    sa.Column('period', sa.Integer(), nullable=False),
    sa.Column('order', sa.Integer(), nullable=False),
    sa.Column('attachment_path', sa.String(length=128), nullable=True),
    sa.CheckConstraint('"course_type" IN (0, 1, 2)', name=op.f('ck_course_course_type_choice')),
    sa.CheckConstraint('"level" IN (0, 1, 2)', name=op.f('ck_course_level_choice')),
    sa.CheckConstraint('(course_type = 2) = (degree_course_id IS NOT NULL)', name=op.f('ck_course_module_has_degree')),
    sa.CheckConstraint('period > 0', name=op.f('ck_course_period_positive')),
    sa.ForeignKeyConstraint(['degree_course_id'], ['degree_course.id'], name=op.f('fk_course_degree_course_id')),
    sa.ForeignKeyConstraint(['id'], ['product.id'], name=op.f('fk_course_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['sub_category_id'], ['course_sub_category.id'], name=op.f('fk_course_sub_category_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_course'))
    )
    with op.batch_alter_table('course', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_course_degree_course_id'), ['degree_course_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_course_sub_category_id'), ['sub_category_id'], unique=False)

    op.create_table('order_detail',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('order_id', sa.Integer(), nullable=False),
    sa.Column('product_id', sa.Integer(), nullable=False),
    sa.Column('policy_id', sa.Integer(), nullable=True),
    sa.Column('pending_account_id', sa.Integer(), nullable=True),
    sa.Column('original_price_fen', sa.Integer(), nullable=False),
    sa.Column('price_fen', sa.Integer(), nullable=False),
    sa.Column('site_discount_fen', sa.Integer(), nullable=False),
    sa.Column('beli', sa.Integer(), nullable=False),
    sa.Column('beli_fen', sa.Integer(), nullable=False),
    sa.Column('actual_amount_fen', sa.Integer(), nullable=False),
    sa.Column('content', sa.String(length=255), nullable=True),
    sa.Column('valid_period_display', sa.String(length=32), nullable=False),
    sa.Column('valid_period', sa.Integer(), nullable=False),
    sa.Column('memo', sa.String(length=255), nullable=True),
    sa.CheckConstraint('original_price_fen >= price_fen AND price_fen >= 0 AND site_discount_fen >= 0 AND beli >= 0 AND beli_fen >= 0 AND actual_amount_fen >= 0', name=op.f('ck_order_detail_shares_in_range')),
    sa.CheckConstraint('price_fen - site_discount_fen - beli_fen = actual_amount_fen', name=op.f('ck_order_detail_shares_add_up')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_order_detail_order_id')),
    sa.ForeignKeyConstraint(['pending_account_id'], ['account.id'], name=op.f('fk_order_detail_pending_account_id')),
    sa.ForeignKeyConstraint(['policy_id'], ['price_policy.id'], name=op.f('fk_order_detail_policy_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['product_id'], ['product.id'], name=op.f('fk_order_detail_product_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_order_detail')),
    sa.UniqueConstraint('order_id', 'product_id', name=op.f('uq_order_detail_order_id_product_id')),
    sa.UniqueConstraint('pending_account_id', 'product_id', name=op.f('uq_order_detail_pending_account_id_product_id'))
    )
    with op.batch_alter_table('order_detail', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_order_detail_policy_id'), ['policy_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_order_detail_product_id'), ['product_id'], unique=False)

    op.create_table('payment',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('order_id', sa.Integer(), nullable=False),
    sa.Column('out_trade_no', sa.String(length=32), nullable=False),
    sa.Column('method', sa.SmallInteger(), nullable=False),
    sa.Column('amount_fen', sa.Integer(), nullable=False),
    sa.Column('biz_content', sa.JSON(), nullable=False),
    sa.Column('state', sa.SmallInteger(), nullable=False),
    sa.Column('trade_no', sa.String(length=64), nullable=True),
    sa.Column('created_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('paid_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('"method" IN (0, 1)', name=op.f('ck_payment_method_choice')),
    sa.CheckConstraint('"state" IN (0, 1, 2, 3)', name=op.f('ck_payment_state_choice')),
    sa.CheckConstraint('(state IN (1, 3)) = (trade_no IS NOT NULL)', name=op.f('ck_payment_paid_has_trade')),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_payment_amount_positive')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_payment_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment')),
    sa.UniqueConstraint('out_trade_no', name=op.f('uq_payment_out_trade_no')),
    sa.UniqueConstraint('trade_no', name=op.f('uq_payment_trade_no'))
    )
    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_payment_order_id'), ['order_id'], unique=False)
        batch_op.create_index('uq_payment_open_order_id', ['order_id'], unique=True, sqlite_where=sa.text('state = 0'), postgresql_where=sa.text('state = 0'))
        batch_op.create_index('uq_payment_paid_order_id', ['order_id'], unique=True, sqlite_where=sa.text('state = 1'), postgresql_where=sa.text('state = 1'))

    op.create_table('scholarship',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('degree_course_id', sa.Integer(), nullable=False),
    sa.Column('time_percent', sa.Integer(), nullable=False),
    sa.Column('value', sa.Integer(), nullable=False),
    sa.CheckConstraint('time_percent > 0', name=op.f('ck_scholarship_time_percent_positive')),
    sa.CheckConstraint('value >= 0', name=op.f('ck_scholarship_value_not_negative')),
    sa.ForeignKeyConstraint(['degree_course_id'], ['degree_course.id'], name=op.f('fk_scholarship_degree_course_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_scholarship')),
    sa.UniqueConstraint('degree_course_id', 'time_percent', name=op.f('uq_scholarship_degree_course_id_time_percent'))
    )
    op.create_table('coupon_code',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=32), nullable=False),
    sa.Column('coupon_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=True),
    sa.Column('record_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_coupon_code_account_id')),
    sa.ForeignKeyConstraint(['coupon_id'], ['coupon.id'], name=op.f('fk_coupon_code_coupon_id')),
    sa.ForeignKeyConstraint(['record_id'], ['coupon_record.id'], name=op.f('fk_coupon_code_record_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_coupon_code')),
    sa.UniqueConstraint('code', name=op.f('uq_coupon_code_code')),
    sa.UniqueConstraint('record_id', name=op.f('uq_coupon_code_record_id'))
    )
    with op.batch_alter_table('coupon_code', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_coupon_code_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_coupon_code_coupon_id'), ['coupon_id'], unique=False)

    op.create_table('course_chapter',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('course_id', sa.Integer(), nullable=False),
    sa.Column('chapter', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('summary', sa.Text(), nullable=False),
    sa.Column('pub_date', sa.Date(), nullable=True),
    sa.ForeignKeyConstraint(['course_id'], ['course.id'], name=op.f('fk_course_chapter_course_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_course_chapter')),
    sa.UniqueConstraint('course_id', 'chapter', name=op.f('uq_course_chapter_course_id_chapter'))
    )
    op.create_table('course_detail',
    sa.Column('course_id', sa.Integer(), nullable=False),
    sa.Column('hours', sa.Integer(), nullable=False),
    sa.Column('course_slogan', sa.String(length=125), nullable=False),
    sa.Column('video_brief_link', sa.String(length=255), nullable=False),
    sa.Column('why_study', sa.Text(), nullable=False),
    sa.Column('what_to_study_brief', sa.Text(), nullable=False),
    sa.Column('career_improvement', sa.Text(), nullable=False),
    sa.Column('prerequisite', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['course.id'], name=op.f('fk_course_detail_course_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('course_id', name=op.f('pk_course_detail'))
    )
    op.create_table('course_recommendation',
    sa.Column('course_id', sa.Integer(), nullable=False),
    sa.Column('recommended_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['course.id'], name=op.f('fk_course_recommendation_course_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['recommended_id'], ['course.id'], name=op.f('fk_course_recommendation_recommended_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('course_id', 'recommended_id', name=op.f('pk_course_recommendation'))
    )
    with op.batch_alter_table('course_recommendation', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_course_recommendation_recommended_id'), ['recommended_id'], unique=False)

    op.create_table('enrolled_course',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('course_id', sa.Integer(), nullable=False),
    sa.Column('enrolled_date', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_begin_date', sa.Date(), nullable=False),
    sa.Column('valid_end_date', sa.Date(), nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.Column('order_detail_id', sa.Integer(), nullable=False),
    sa.Column('closed_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('"status" IN (0, 1)', name=op.f('ck_enrolled_course_status_choice')),
    sa.CheckConstraint('valid_end_date >= valid_begin_date', name=op.f('ck_enrolled_course_period')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_enrolled_course_account_id')),
    sa.ForeignKeyConstraint(['course_id'], ['course.id'], name=op.f('fk_enrolled_course_course_id')),
    sa.ForeignKeyConstraint(['order_detail_id'], ['order_detail.id'], name=op.f('fk_enrolled_course_order_detail_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_enrolled_course')),
    sa.UniqueConstraint('order_detail_id', name=op.f('uq_enrolled_course_order_detail_id'))
    )
    with op.batch_alter_table('enrolled_course', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_enrolled_course_account_id_course_id'), ['account_id', 'course_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_enrolled_course_course_id'), ['course_id'], unique=False)

    op.create_table('enrolled_degree_course',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('degree_course_id', sa.Integer(), nullable=False),
    sa.Column('enrolled_date', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_begin_date', sa.Date(), nullable=True),
    sa.Column('valid_end_date', sa.Date(), nullable=True),
    sa.Column('study_status', sa.SmallInteger(), nullable=False),
    sa.Column('mentor_id', sa.Integer(), nullable=True),
    sa.Column('mentor_fee_balance', sa.Integer(), nullable=False),
    sa.Column('order_detail_id', sa.Integer(), nullable=False),
    sa.Column('closed_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('"study_status" IN (0, 1, 2, 3, 4)', name=op.f('ck_enrolled_degree_course_study_status_choice')),
    sa.CheckConstraint('(valid_begin_date IS NULL) = (valid_end_date IS NULL)', name=op.f('ck_enrolled_degree_course_both_dates_or_none')),
    sa.CheckConstraint('mentor_fee_balance >= 0', name=op.f('ck_enrolled_degree_course_fee_not_negative')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_enrolled_degree_course_account_id')),
    sa.ForeignKeyConstraint(['degree_course_id'], ['degree_course.id'], name=op.f('fk_enrolled_degree_course_degree_course_id')),
    sa.ForeignKeyConstraint(['mentor_id'], ['account.id'], name=op.f('fk_enrolled_degree_course_mentor_id')),
    sa.ForeignKeyConstraint(['order_detail_id'], ['order_detail.id'], name=op.f('fk_enrolled_degree_course_order_detail_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_enrolled_degree_course')),
    sa.UniqueConstraint('order_detail_id', name=op.f('uq_enrolled_degree_course_order_detail_id'))
    )
    with op.batch_alter_table('enrolled_degree_course', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_enrolled_degree_course_degree_course_id'), ['degree_course_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_enrolled_degree_course_mentor_id'), ['mentor_id'], unique=False)
        batch_op.create_index('uq_enrolled_degree_course_living', ['account_id', 'degree_course_id'], unique=True, sqlite_where=sa.text('closed_time IS NULL'), postgresql_where=sa.text('closed_time IS NULL'))

    op.create_table('payment_notice',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('notify_id', sa.String(length=128), nullable=False),
    sa.Column('payment_id', sa.Integer(), nullable=True),
    sa.Column('out_trade_no', sa.String(length=64), nullable=False),
    sa.Column('trade_no', sa.String(length=64), nullable=False),
    sa.Column('trade_status', sa.String(length=32), nullable=False),
    sa.Column('params', sa.JSON(), nullable=False),
    sa.Column('verdict', sa.SmallInteger(), nullable=False),
    sa.Column('reason', sa.String(length=255), nullable=False),
    sa.Column('received_time', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('"verdict" IN (0, 1, 2, 3)', name=op.f('ck_payment_notice_verdict_choice')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_payment_notice_payment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment_notice'))
    )
    with op.batch_alter_table('payment_notice', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_payment_notice_notify_id'), ['notify_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_payment_notice_out_trade_no'), ['out_trade_no'], unique=False)
        batch_op.create_index(batch_op.f('ix_payment_notice_payment_id'), ['payment_id'], unique=False)

    op.create_table('refund',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('order_id', sa.Integer(), nullable=False),
    sa.Column('payment_id', sa.Integer(), nullable=True),
    sa.Column('out_request_no', sa.String(length=64), nullable=False),
    sa.Column('amount_fen', sa.Integer(), nullable=False),
    sa.Column('beli', sa.Integer(), nullable=False),
    sa.Column('state', sa.SmallInteger(), nullable=False),
    sa.Column('reason', sa.String(length=255), nullable=False),
    sa.Column('handler_id', sa.Integer(), nullable=True),
    sa.Column('decision', sa.String(length=255), nullable=False),
    sa.Column('requested_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('done_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('"state" IN (0, 1, 2, 3, 4, 5, 6)', name=op.f('ck_refund_state_choice')),
    sa.CheckConstraint('amount_fen = 0 OR payment_id IS NOT NULL', name=op.f('ck_refund_cash_has_payment')),
    sa.CheckConstraint('amount_fen >= 0 AND beli >= 0', name=op.f('ck_refund_amounts_not_negative')),
    sa.ForeignKeyConstraint(['handler_id'], ['account.id'], name=op.f('fk_refund_handler_id')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_refund_order_id')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_refund_payment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_refund')),
    sa.UniqueConstraint('out_request_no', name=op.f('uq_refund_out_request_no'))
    )
    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_refund_handler_id'), ['handler_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_refund_order_id'), ['order_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_refund_payment_id'), ['payment_id'], unique=False)

    op.create_table('complaint',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('enrolled_degree_course_id', sa.Integer(), nullable=False),
    sa.Column('mentor_id', sa.Integer(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('state', sa.SmallInteger(), nullable=False),
    sa.Column('handler_id', sa.Integer(), nullable=True),
    sa.Column('decision', sa.String(length=255), nullable=False),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_time', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('"state" IN (0, 1, 2)', name=op.f('ck_complaint_state_choice')),
    sa.ForeignKeyConstraint(['enrolled_degree_course_id'], ['enrolled_degree_course.id'], name=op.f('fk_complaint_enrolled_degree_course_id')),
    sa.ForeignKeyConstraint(['handler_id'], ['account.id'], name=op.f('fk_complaint_handler_id')),
    sa.ForeignKeyConstraint(['mentor_id'], ['account.id'], name=op.f('fk_complaint_mentor_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_complaint'))
    )
    with op.batch_alter_table('complaint', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_complaint_enrolled_degree_course_id'), ['enrolled_degree_course_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_complaint_handler_id'), ['handler_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_complaint_mentor_id'), ['mentor_id'], unique=False)

    op.create_table('course_outline',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('course_id', sa.Integer(), nullable=False),
    sa.Column('order', sa.Integer(), nullable=False),
    sa.Column('title', sa.String(length=128), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['course_detail.course_id'], name=op.f('fk_course_outline_course_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_course_outline')),
    sa.UniqueConstraint('course_id', 'title', name=op.f('uq_course_outline_course_id_title'))
    )
    op.create_table('course_section',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('chapter_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('order', sa.Integer(), nullable=False),
    sa.Column('section_type', sa.SmallInteger(), nullable=False),
    sa.Column('section_link', sa.String(length=255), nullable=True),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('video_time', sa.String(length=32), nullable=True),
    sa.Column('pub_date', sa.Date(), nullable=True),
    sa.Column('free_trail', sa.Boolean(), nullable=False),
    sa.CheckConstraint('"section_type" IN (0, 1, 2)', name=op.f('ck_course_section_section_type_choice')),
    sa.ForeignKeyConstraint(['chapter_id'], ['course_chapter.id'], name=op.f('fk_course_section_chapter_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_course_section')),
    sa.UniqueConstraint('chapter_id', 'name', name=op.f('uq_course_section_chapter_id_name')),
    sa.UniqueConstraint('chapter_id', 'section_link', name=op.f('uq_course_section_chapter_id_section_link'))
    )
    op.create_table('degree_registration_form',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('enrolled_degree_id', sa.Integer(), nullable=False),
    sa.Column('current_company', sa.String(length=64), nullable=False),
    sa.Column('current_position', sa.String(length=64), nullable=False),
    sa.Column('current_salary', sa.Integer(), nullable=True),
    sa.Column('work_experience', sa.SmallInteger(), nullable=False),
    sa.Column('open_module', sa.Boolean(), nullable=False),
    sa.Column('stu_specified_mentor', sa.String(length=32), nullable=True),
    sa.Column('study_plan', sa.SmallInteger(), nullable=False),
    sa.Column('why_take_this_course', sa.String(length=1024), nullable=False),
    sa.Column('why_choose_us', sa.String(length=1024), nullable=False),
    sa.Column('your_expectation', sa.String(length=1024), nullable=False),
    sa.Column('memo', sa.String(length=255), nullable=True),
    sa.Column('filed_time', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('"study_plan" IN (0, 1, 2, 3)', name=op.f('ck_degree_registration_form_study_plan_choice')),
    sa.CheckConstraint('"work_experience" IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)', name=op.f('ck_degree_registration_form_work_experience_choice')),
    sa.ForeignKeyConstraint(['enrolled_degree_id'], ['enrolled_degree_course.id'], name=op.f('fk_degree_registration_form_enrolled_degree_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_degree_registration_form')),
    sa.UniqueConstraint('enrolled_degree_id', name=op.f('uq_degree_registration_form_enrolled_degree_id'))
    )
    op.create_table('homework',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('chapter_id', sa.Integer(), nullable=False),
    sa.Column('title', sa.String(length=128), nullable=False),
    sa.Column('order', sa.Integer(), nullable=False),
    sa.Column('homework_type', sa.SmallInteger(), nullable=False),
    sa.Column('requirement', sa.Text(), nullable=False),
    sa.Column('threshold', sa.Text(), nullable=False),
    sa.Column('recommend_period', sa.Integer(), nullable=False),
    sa.Column('scholarship_value', sa.Integer(), nullable=False),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.CheckConstraint('"homework_type" IN (0, 1)', name=op.f('ck_homework_homework_type_choice')),
    sa.CheckConstraint('recommend_period > 0', name=op.f('ck_homework_recommend_period_positive')),
    sa.CheckConstraint('scholarship_value >= 0', name=op.f('ck_homework_scholarship_value_not_negative')),
    sa.ForeignKeyConstraint(['chapter_id'], ['course_chapter.id'], name=op.f('fk_homework_chapter_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_homework')),
    sa.UniqueConstraint('chapter_id', 'title', name=op.f('uq_homework_chapter_id_title'))
    )
    op.create_table('refund_detail',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('refund_id', sa.Integer(), nullable=False),
    sa.Column('order_detail_id', sa.Integer(), nullable=False),
    sa.Column('amount_fen', sa.Integer(), nullable=False),
    sa.Column('beli', sa.Integer(), nullable=False),
    sa.CheckConstraint('amount_fen >= 0 AND beli >= 0', name=op.f('ck_refund_detail_amounts_not_negative')),
    sa.ForeignKeyConstraint(['order_detail_id'], ['order_detail.id'], name=op.f('fk_refund_detail_order_detail_id')),
    sa.ForeignKeyConstraint(['refund_id'], ['refund.id'], name=op.f('fk_refund_detail_refund_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_refund_detail')),
    sa.UniqueConstraint('refund_id', 'order_detail_id', name=op.f('uq_refund_detail_refund_id_order_detail_id'))
    )
    with op.batch_alter_table('refund_detail', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_refund_detail_order_detail_id'), ['order_detail_id'], unique=False)

    op.create_table('stu_follow_up_record',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('enrolled_degree_course_id', sa.Integer(), nullable=False),
    sa.Column('mentor_id', sa.Integer(), nullable=False),
    sa.Column('followup_tool', sa.SmallInteger(), nullable=False),
    sa.Column('record', sa.Text(), nullable=False),
    sa.Column('attachment_path', sa.String(length=128), nullable=True),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('"followup_tool" IN (0, 1, 2, 3)', name=op.f('ck_stu_follow_up_record_followup_tool_choice')),
    sa.ForeignKeyConstraint(['enrolled_degree_course_id'], ['enrolled_degree_course.id'], name=op.f('fk_stu_follow_up_record_enrolled_degree_course_id')),
    sa.ForeignKeyConstraint(['mentor_id'], ['account.id'], name=op.f('fk_stu_follow_up_record_mentor_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stu_follow_up_record'))
    )
    with op.batch_alter_table('stu_follow_up_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_stu_follow_up_record_enrolled_degree_course_id'), ['enrolled_degree_course_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_stu_follow_up_record_mentor_id'), ['mentor_id'], unique=False)

    op.create_table('study_record',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('enrolled_degree_course_id', sa.Integer(), nullable=False),
    sa.Column('course_module_id', sa.Integer(), nullable=False),
    sa.Column('open_date', sa.Date(), nullable=True),
    sa.Column('end_date', sa.Date(), nullable=True),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.CheckConstraint('"status" IN (0, 1, 2)', name=op.f('ck_study_record_status_choice')),
    sa.ForeignKeyConstraint(['course_module_id'], ['course.id'], name=op.f('fk_study_record_course_module_id')),
    sa.ForeignKeyConstraint(['enrolled_degree_course_id'], ['enrolled_degree_course.id'], name=op.f('fk_study_record_enrolled_degree_course_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_study_record')),
    sa.UniqueConstraint('enrolled_degree_course_id', 'course_module_id', name=op.f('uq_study_record_enrolled_degree_course_id_course_module_id'))
    )
    with op.batch_alter_table('study_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_study_record_course_module_id'), ['course_module_id'], unique=False)

    op.create_table('course_schedule',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_record_id', sa.Integer(), nullable=False),
    sa.Column('homework_id', sa.Integer(), nullable=False),
    sa.Column('recommend_date', sa.Date(), nullable=False),
    sa.ForeignKeyConstraint(['homework_id'], ['homework.id'], name=op.f('fk_course_schedule_homework_id')),
    sa.ForeignKeyConstraint(['study_record_id'], ['study_record.id'], name=op.f('fk_course_schedule_study_record_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_course_schedule')),
    sa.UniqueConstraint('study_record_id', 'homework_id', name=op.f('uq_course_schedule_study_record_id_homework_id'))
    )
    with op.batch_alter_table('course_schedule', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_course_schedule_homework_id'), ['homework_id'], unique=False)

    op.create_table('homework_record',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('homework_id', sa.Integer(), nullable=False),
    sa.Column('student_id', sa.Integer(), nullable=False),
    sa.Column('score', sa.SmallInteger(), nullable=True),
    sa.Column('mentor_id', sa.Integer(), nullable=False),
    sa.Column('mentor_comment', sa.Text(), nullable=True),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.Column('submit_num', sa.Integer(), nullable=False),
    sa.Column('correct_date', sa.DateTime(timezone=True), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.Column('check_date', sa.DateTime(timezone=True), nullable=True),
    sa.Column('update_time', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reward_status', sa.SmallInteger(), nullable=False),
    sa.CheckConstraint('"reward_status" IN (0, 1, 2, 3, 4, 5)', name=op.f('ck_homework_record_reward_status_choice')),
    sa.CheckConstraint('"score" IN (100, 90, 85, 80, 70, 60, 50, 40, -1, 0, -100)', name=op.f('ck_homework_record_score_choice')),
    sa.CheckConstraint('"status" IN (0, 1, 2)', name=op.f('ck_homework_record_status_choice')),
    sa.ForeignKeyConstraint(['homework_id'], ['homework.id'], name=op.f('fk_homework_record_homework_id')),
    sa.ForeignKeyConstraint(['mentor_id'], ['account.id'], name=op.f('fk_homework_record_mentor_id')),
    sa.ForeignKeyConstraint(['student_id'], ['enrolled_degree_course.id'], name=op.f('fk_homework_record_student_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_homework_record')),
    sa.UniqueConstraint('homework_id', 'student_id', name=op.f('uq_homework_record_homework_id_student_id'))
    )
    with op.batch_alter_table('homework_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_homework_record_mentor_id'), ['mentor_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_homework_record_student_id'), ['student_id'], unique=False)

    op.create_table('question',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('degree_course_id', sa.Integer(), nullable=True),
    sa.Column('course_section_id', sa.Integer(), nullable=True),
    sa.Column('title', sa.String(length=128), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('"status" IN (0, 1, 2)', name=op.f('ck_question_status_choice')),
    sa.CheckConstraint('(degree_course_id IS NULL) <> (course_section_id IS NULL)', name=op.f('ck_question_about_one_thing')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_question_account_id')),
    sa.ForeignKeyConstraint(['course_section_id'], ['course_section.id'], name=op.f('fk_question_course_section_id')),
    sa.ForeignKeyConstraint(['degree_course_id'], ['degree_course.id'], name=op.f('fk_question_degree_course_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_question'))
    )
    with op.batch_alter_table('question', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_question_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_question_course_section_id'), ['course_section_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_question_degree_course_id'), ['degree_course_id'], unique=False)

    op.create_table('answer',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('question_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_answer_account_id')),
    sa.ForeignKeyConstraint(['question_id'], ['question.id'], name=op.f('fk_answer_question_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_answer'))
    )
    with op.batch_alter_table('answer', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_answer_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_answer_question_id'), ['question_id'], unique=False)

    op.create_table('score_record',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('score_rule_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('enrolled_degree_course_id', sa.Integer(), nullable=False),
    sa.Column('homework_record_id', sa.Integer(), nullable=True),
    sa.Column('question_id', sa.Integer(), nullable=True),
    sa.Column('complaint_id', sa.Integer(), nullable=True),
    sa.Column('score', sa.Integer(), nullable=False),
    sa.Column('received_score', sa.Integer(), nullable=False),
    sa.Column('balance', sa.Integer(), nullable=False),
    sa.Column('maturity_date', sa.Date(), nullable=True),
    sa.Column('applied', sa.Boolean(), nullable=False),
    sa.Column('applied_date', sa.DateTime(timezone=True), nullable=True),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.Column('memo', sa.String(length=255), nullable=True),
    sa.CheckConstraint('applied = (applied_date IS NOT NULL)', name=op.f('ck_score_record_applied_has_date')),
    sa.CheckConstraint('received_score >= 0', name=op.f('ck_score_record_received_not_negative')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_score_record_account_id')),
    sa.ForeignKeyConstraint(['complaint_id'], ['complaint.id'], name=op.f('fk_score_record_complaint_id')),
    sa.ForeignKeyConstraint(['enrolled_degree_course_id'], ['enrolled_degree_course.id'], name=op.f('fk_score_record_enrolled_degree_course_id')),
    sa.ForeignKeyConstraint(['homework_record_id'], ['homework_record.id'], name=op.f('fk_score_record_homework_record_id')),
    sa.ForeignKeyConstraint(['question_id'], ['question.id'], name=op.f('fk_score_record_question_id')),
    sa.ForeignKeyConstraint(['score_rule_id'], ['score_rule.id'], name=op.f('fk_score_record_score_rule_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_score_record'))
    )
    with op.batch_alter_table('score_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_score_record_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_score_record_complaint_id'), ['complaint_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_score_record_enrolled_degree_course_id'), ['enrolled_degree_course_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_score_record_homework_record_id'), ['homework_record_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_score_record_question_id'), ['question_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_score_record_score_rule_id'), ['score_rule_id'], unique=False)

    op.create_table('transaction_record',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('amount', sa.Integer(), nullable=False),
    sa.Column('balance_after', sa.Integer(), nullable=False),
    sa.Column('transaction_type', sa.SmallInteger(), nullable=False),
    sa.Column('transaction_number', sa.String(length=64), nullable=False),
    sa.Column('order_id', sa.Integer(), nullable=True),
    sa.Column('refund_id', sa.Integer(), nullable=True),
    sa.Column('score_record_id', sa.Integer(), nullable=True),
    sa.Column('withdrawal_id', sa.Integer(), nullable=True),
    sa.Column('date', sa.DateTime(timezone=True), nullable=False),
    sa.Column('memo', sa.String(length=128), nullable=True),
    sa.CheckConstraint('"transaction_type" IN (0, 1, 2, 3)', name=op.f('ck_transaction_record_transaction_type_choice')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_transaction_record_amount_positive')),
    sa.CheckConstraint('balance_after >= 0', name=op.f('ck_transaction_record_balance_not_negative')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_transaction_record_account_id')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_transaction_record_order_id')),
    sa.ForeignKeyConstraint(['refund_id'], ['refund.id'], name=op.f('fk_transaction_record_refund_id')),
    sa.ForeignKeyConstraint(['score_record_id'], ['score_record.id'], name=op.f('fk_transaction_record_score_record_id')),
    sa.ForeignKeyConstraint(['withdrawal_id'], ['withdrawal.id'], name=op.f('fk_transaction_record_withdrawal_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transaction_record')),
    sa.UniqueConstraint('transaction_number', name=op.f('uq_transaction_record_transaction_number'))
    )
    with op.batch_alter_table('transaction_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_transaction_record_account_id_id'), ['account_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_transaction_record_order_id'), ['order_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_transaction_record_refund_id'), ['refund_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_transaction_record_score_record_id'), ['score_record_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_transaction_record_withdrawal_id'), ['withdrawal_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('transaction_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_transaction_record_withdrawal_id'))
        batch_op.drop_index(batch_op.f('ix_transaction_record_score_record_id'))
        batch_op.drop_index(batch_op.f('ix_transaction_record_refund_id'))
        batch_op.drop_index(batch_op.f('ix_transaction_record_order_id'))
        batch_op.drop_index(batch_op.f('ix_transaction_record_account_id_id'))

    op.drop_table('transaction_record')
    with op.batch_alter_table('score_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_score_record_score_rule_id'))
        batch_op.drop_index(batch_op.f('ix_score_record_question_id'))
        batch_op.drop_index(batch_op.f('ix_score_record_homework_record_id'))
        batch_op.drop_index(batch_op.f('ix_score_record_enrolled_degree_course_id'))
        batch_op.drop_index(batch_op.f('ix_score_record_complaint_id'))
        batch_op.drop_index(batch_op.f('ix_score_record_account_id'))

    op.drop_table('score_record')
    with op.batch_alter_table('answer', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_answer_question_id'))
        batch_op.drop_index(batch_op.f('ix_answer_account_id'))

    op.drop_table('answer')
    with op.batch_alter_table('question', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_question_degree_course_id'))
        batch_op.drop_index(batch_op.f('ix_question_course_section_id'))
        batch_op.drop_index(batch_op.f('ix_question_account_id'))

    op.drop_table('question')
    with op.batch_alter_table('homework_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_homework_record_student_id'))
        batch_op.drop_index(batch_op.f('ix_homework_record_mentor_id'))

    op.drop_table('homework_record')
    with op.batch_alter_table('course_schedule', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_course_schedule_homework_id'))

    op.drop_table('course_schedule')
    with op.batch_alter_table('study_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_study_record_course_module_id'))

    op.drop_table('study_record')
    with op.batch_alter_table('stu_follow_up_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_stu_follow_up_record_mentor_id'))
        batch_op.drop_index(batch_op.f('ix_stu_follow_up_record_enrolled_degree_course_id'))

    op.drop_table('stu_follow_up_record')
    with op.batch_alter_table('refund_detail', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_refund_detail_order_detail_id'))

    op.drop_table('refund_detail')
    op.drop_table('homework')
    op.drop_table('degree_registration_form')
    op.drop_table('course_section')
    op.drop_table('course_outline')
    with op.batch_alter_table('complaint', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_complaint_mentor_id'))
        batch_op.drop_index(batch_op.f('ix_complaint_handler_id'))
        batch_op.drop_index(batch_op.f('ix_complaint_enrolled_degree_course_id'))

    op.drop_table('complaint')
    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_refund_payment_id'))
        batch_op.drop_index(batch_op.f('ix_refund_order_id'))
        batch_op.drop_index(batch_op.f('ix_refund_handler_id'))

    op.drop_table('refund')
    with op.batch_alter_table('payment_notice', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_payment_notice_payment_id'))
        batch_op.drop_index(batch_op.f('ix_payment_notice_out_trade_no'))
        batch_op.drop_index(batch_op.f('ix_payment_notice_notify_id'))

    op.drop_table('payment_notice')
    with op.batch_alter_table('enrolled_degree_course', schema=None) as batch_op:
        batch_op.drop_index('uq_enrolled_degree_course_living', sqlite_where=sa.text('closed_time IS NULL'), postgresql_where=sa.text('closed_time IS NULL'))
        batch_op.drop_index(batch_op.f('ix_enrolled_degree_course_mentor_id'))
        batch_op.drop_index(batch_op.f('ix_enrolled_degree_course_degree_course_id'))

    op.drop_table('enrolled_degree_course')
    with op.batch_alter_table('enrolled_course', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_enrolled_course_course_id'))
        batch_op.drop_index(batch_op.f('ix_enrolled_course_account_id_course_id'))

    op.drop_table('enrolled_course')
    with op.batch_alter_table('course_recommendation', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_course_recommendation_recommended_id'))

    op.drop_table('course_recommendation')
    op.drop_table('course_detail')
    op.drop_table('course_chapter')
    with op.batch_alter_table('coupon_code', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_coupon_code_coupon_id'))
        batch_op.drop_index(batch_op.f('ix_coupon_code_account_id'))

    op.drop_table('coupon_code')
    op.drop_table('scholarship')
    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.drop_index('uq_payment_paid_order_id', sqlite_where=sa.text('state = 1'), postgresql_where=sa.text('state = 1'))
        batch_op.drop_index('uq_payment_open_order_id', sqlite_where=sa.text('state = 0'), postgresql_where=sa.text('state = 0'))
        batch_op.drop_index(batch_op.f('ix_payment_order_id'))

    op.drop_table('payment')
    with op.batch_alter_table('order_detail', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_order_detail_product_id'))
        batch_op.drop_index(batch_op.f('ix_order_detail_policy_id'))

    op.drop_table('order_detail')
    with op.batch_alter_table('course', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_course_sub_category_id'))
        batch_op.drop_index(batch_op.f('ix_course_degree_course_id'))

    op.drop_table('course')
    with op.batch_alter_table('coupon_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_coupon_record_order_id'))
        batch_op.drop_index(batch_op.f('ix_coupon_record_account_id_status'))

    op.drop_table('coupon_record')
    with op.batch_alter_table('withdrawal', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_withdrawal_handler_id'))
        batch_op.drop_index(batch_op.f('ix_withdrawal_account_id'))

    op.drop_table('withdrawal')
    with op.batch_alter_table('product_teacher', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_product_teacher_teacher_id'))

    op.drop_table('product_teacher')
    op.drop_table('price_policy')
    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.drop_index('ix_orders_pending', sqlite_where=sa.text('status = 1'), postgresql_where=sa.text('status = 1'))
        batch_op.drop_index(batch_op.f('ix_orders_account_id_date'))

    op.drop_table('orders')
    op.drop_table('often_asked_question')
    with op.batch_alter_table('notification', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_notification_account_id_id'))

    op.drop_table('notification')
    with op.batch_alter_table('mentor_group_member', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_mentor_group_member_account_id'))

    op.drop_table('mentor_group_member')
    op.drop_table('degree_course')
    op.drop_table('course_sub_category')
    with op.batch_alter_table('coupon', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_coupon_product_id'))
        batch_op.drop_index(batch_op.f('ix_coupon_is_public_open_date_close_date'))

    op.drop_table('coupon')
    with op.batch_alter_table('audit_log', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_audit_log_subject_table_subject_id'))
        batch_op.drop_index(batch_op.f('ix_audit_log_date'))
        batch_op.drop_index(batch_op.f('ix_audit_log_account_id'))

    op.drop_table('audit_log')
    op.drop_table('teacher')
    op.drop_table('score_rule')
    with op.batch_alter_table('product', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_product_kind_status'))

    op.drop_table('product')
    op.drop_table('mentor_group')
    op.drop_table('course_category')
    op.drop_table('account')
