"""Every table of the shop, in the order a purchase meets them; what must always hold is a constraint here.

Names are those of the source document (``orders`` for Order); money columns end in ``_fen``, 贝里 are whole
numbers, instants are UTC and end in ``_time`` (or keep the source's name), dates are days in Asia/Shanghai.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shop.clock import now
from shop.enums import (
    ComplaintState,
    CouponKind,
    CouponStatus,
    CourseType,
    DifferenceKind,
    EnrolmentStatus,
    FollowUpTool,
    Gender,
    GiftKind,
    GiftState,
    HomeworkStatus,
    HomeworkType,
    Level,
    MailState,
    MessageType,
    ModuleStatus,
    NoticeVerdict,
    OrderStatus,
    PaymentMethod,
    PaymentState,
    PaymentType,
    ProductKind,
    ProductStatus,
    Purse,
    QuestionStatus,
    RefundCause,
    RefundState,
    RewardStatus,
    Role,
    Rule,
    Score,
    ScoreType,
    SectionType,
    StaffRole,
    StudyPlan,
    StudyStatus,
    TeacherRole,
    TransactionType,
    TroubleKind,
    ValidPeriod,
    VisitStep,
    WithdrawalState,
    WorkExperience,
)
from shop.extensions import Base, EnumNumber, Instant, Model


def key(target: str, **options: Any) -> ForeignKey:
    return ForeignKey(target, **options)


# ---------------------------------------------------------------- accounts


class Account(Model):
    """A person who can log in: student, mentor, lecturer or administrator (Account of domain.md 1.2)."""

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("balance >= 0", name="balance_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    mobile: Mapped[str | None] = mapped_column(String(20), unique=True)
    password: Mapped[str] = mapped_column(String(255))
    uid: Mapped[str] = mapped_column(String(64), unique=True)  # shown to third parties instead of the id
    role: Mapped[Role] = mapped_column(EnumNumber(Role), default=Role.STUDENT)
    balance: Mapped[int] = mapped_column(default=0)  # 贝里; changed only together with a transaction_record
    session_epoch: Mapped[int] = mapped_column(default=0)  # one more ends every session of the account
    is_active: Mapped[bool] = mapped_column(default=True)
    is_staff: Mapped[bool] = mapped_column(default=False)
    name: Mapped[str] = mapped_column(String(32), default="")
    gender: Mapped[Gender] = mapped_column(EnumNumber(Gender), default=Gender.UNKNOWN)
    degree: Mapped[str] = mapped_column(String(32), default="")
    birthday: Mapped[date | None]
    id_card: Mapped[str | None] = mapped_column(String(32))
    qq: Mapped[str | None] = mapped_column(String(32))
    weixin: Mapped[str | None] = mapped_column(String(64))
    openid: Mapped[str | None] = mapped_column(String(128))
    head_img: Mapped[str] = mapped_column(String(255), default="")
    signature: Mapped[str] = mapped_column(String(255), default="")
    brief: Mapped[str] = mapped_column(Text, default="")
    memo: Mapped[str | None] = mapped_column(String(255))
    date_joined: Mapped[datetime] = mapped_column(Instant, default=now)
    deleted_time: Mapped[datetime | None] = mapped_column(Instant)  # its person is gone, its trade is kept

    @property
    def shown_name(self) -> str:
        """What other people call this account."""
        return self.name or self.username


class StaffMember(Model):
    """One role of one member of staff. Whoever has none works here and may do nothing."""

    __tablename__ = "staff_role"

    account_id: Mapped[int] = mapped_column(key("account.id"), primary_key=True)
    role: Mapped[StaffRole] = mapped_column(EnumNumber(StaffRole), primary_key=True)
    granted_time: Mapped[datetime] = mapped_column(Instant, default=now)


class SecondFactor(Model):
    """The shared secret of an authenticator app (RFC 6238), and the last time step that was used with it."""

    __tablename__ = "second_factor"

    account_id: Mapped[int] = mapped_column(key("account.id"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(64))  # base 32
    last_step: Mapped[int] = mapped_column(default=0)  # a code counts once
    confirmed_time: Mapped[datetime] = mapped_column(Instant, default=now)


class RecoveryCode(Model):
    """A code on paper that replaces one code of the app, once; only its digest is kept."""

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    used_time: Mapped[datetime | None] = mapped_column(Instant)


mentor_group_member = Table(
    "mentor_group_member",
    Base.metadata,
    Column("mentor_group_id", key("mentor_group.id", ondelete="CASCADE"), primary_key=True),
    Column("account_id", key("account.id"), primary_key=True, index=True),
)


class MentorGroup(Model):
    """导师组."""

    __tablename__ = "mentor_group"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    brief: Mapped[str] = mapped_column(Text, default="")
    mentors: Mapped[list[Account]] = relationship(secondary=mentor_group_member)


class Notification(Model):
    """A message to one person inside the shop."""

    __tablename__ = "notification"
    __table_args__ = (
        Index(None, "account_id", "id"),
        Index(
            "ix_notification_unread",
            "account_id",
            sqlite_where=text("read_time IS NULL"),
            postgresql_where=text("read_time IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"))
    msg_type: Mapped[MessageType] = mapped_column(EnumNumber(MessageType))
    content: Mapped[str] = mapped_column(Text)  # in Chinese; the reader's language is looked up when it is shown
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what its %(places)s are filled with
    link: Mapped[str] = mapped_column(String(255), default="")
    event: Mapped[str | None] = mapped_column(String(128), unique=True)  # what must be told once only
    date: Mapped[datetime] = mapped_column(Instant, default=now)
    read_time: Mapped[datetime | None] = mapped_column(Instant)


class Mail(Model):
    """One letter on its way: written in the transaction that it tells about, sent after its commit."""

    __tablename__ = "mail"
    __table_args__ = (
        CheckConstraint("(state = 2) = (sent_time IS NOT NULL)", name="sent_has_time"),
        Index(
            "ix_mail_waiting",
            "next_try_time",
            sqlite_where=text("state = 0"),
            postgresql_where=text("state = 0"),
        ),
        Index(
            "ix_mail_unsent",  # counted by each scrape of /metrics
            "state",
            sqlite_where=text("state <> 2"),
            postgresql_where=text("state <> 2"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    address: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(255))
    body: Mapped[str] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(128), unique=True)  # the same on every try
    state: Mapped[MailState] = mapped_column(EnumNumber(MailState), default=MailState.WAITING)
    tries: Mapped[int] = mapped_column(default=0)
    next_try_time: Mapped[datetime] = mapped_column(Instant, default=now)
    created_time: Mapped[datetime] = mapped_column(Instant, default=now)
    sent_time: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str] = mapped_column(String(255), default="")


class PasswordReset(Model):
    """A link that sets a new password once; only the digest of its token is kept."""

    __tablename__ = "password_reset"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_time: Mapped[datetime] = mapped_column(Instant, default=now)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_time: Mapped[datetime | None] = mapped_column(Instant)


# ---------------------------------------------------------------- catalogue


class CourseCategory(Model):
    """课程大类."""

    __tablename__ = "course_category"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    order: Mapped[int] = mapped_column(default=0)


class CourseSubCategory(Model):
    """课程子类."""

    __tablename__ = "course_sub_category"
    __table_args__ = (UniqueConstraint("category_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    category_id: Mapped[int] = mapped_column(key("course_category.id"))
    name: Mapped[str] = mapped_column(String(64))
    category: Mapped[CourseCategory] = relationship()


product_teacher = Table(
    "product_teacher",
    Base.metadata,
    Column("product_id", key("product.id", ondelete="CASCADE"), primary_key=True),
    Column("teacher_id", key("teacher.id", ondelete="CASCADE"), primary_key=True, index=True),
)

course_recommendation = Table(
    "course_recommendation",
    Base.metadata,
    Column("course_id", key("course.id", ondelete="CASCADE"), primary_key=True),
    Column("recommended_id", key("course.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Teacher(Model):
    """讲师 or 导师 as the public sees them; not a login."""

    __tablename__ = "teacher"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    role: Mapped[TeacherRole] = mapped_column(EnumNumber(TeacherRole), default=TeacherRole.LECTURER)
    title: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(255), default="")
    image: Mapped[str] = mapped_column(String(128), default="")
    brief: Mapped[str] = mapped_column(Text, default="")


class Product(Model):
    """What a plan, a coupon, a cart line and an order line point at: a course or a degree, never a loose pair."""

    __tablename__ = "product"
    __table_args__: tuple[Any, ...] = (
        UniqueConstraint("kind", "name"),
        CheckConstraint("status = 1 OR published_time IS NOT NULL", name="shown_is_published"),
        Index(None, "kind", "status"),
    )
    __mapper_args__ = {"polymorphic_on": "kind"}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[ProductKind] = mapped_column(EnumNumber(ProductKind))
    name: Mapped[str] = mapped_column(String(128))
    brief: Mapped[str] = mapped_column(Text)
    status: Mapped[ProductStatus] = mapped_column(EnumNumber(ProductStatus), default=ProductStatus.ON_SALE)
    # none: a draft, never shown yet; said outright, else the default would stand in for it
    published_time: Mapped[datetime | None] = mapped_column(Instant().evaluates_none(), default=now)

    policies: Mapped[list[PricePolicy]] = relationship(
        back_populates="product", order_by="PricePolicy.valid_period", cascade="all, delete-orphan"
    )
    teachers: Mapped[list[Teacher]] = relationship(secondary=product_teacher, order_by=Teacher.id)
    questions: Mapped[list[OftenAskedQuestion]] = relationship(
        order_by="OftenAskedQuestion.id", cascade="all, delete-orphan"
    )


class DegreeCourse(Product):
    """学位课程: modules in order, a scholarship, a mentor."""

    __tablename__ = "degree_course"
    __mapper_args__ = {"polymorphic_identity": ProductKind.DEGREE}
    __table_args__ = (CheckConstraint("period > 0", name="period_positive"),)

    id: Mapped[int] = mapped_column(key("product.id", ondelete="CASCADE"), primary_key=True)
    total_scholarship: Mapped[int] = mapped_column(default=40000)
    mentor_compensation_bonus: Mapped[int] = mapped_column(default=15000)
    period: Mapped[int] = mapped_column(default=150)  # recommended days; the scholarship is measured by it
    prerequisite: Mapped[str] = mapped_column(Text, default="")

    modules: Mapped[list[Course]] = relationship(
        foreign_keys="Course.degree_course_id", order_by="Course.order", back_populates="degree_course"
    )
    scholarships: Mapped[list[Scholarship]] = relationship(
        order_by="Scholarship.time_percent", cascade="all, delete-orphan"
    )


class Course(Product):
    """专题课, or a module of a degree (type 2), which is not sold alone."""

    __tablename__ = "course"
    __mapper_args__ = {"polymorphic_identity": ProductKind.COURSE}
    __table_args__ = (
        CheckConstraint("(course_type = 2) = (degree_course_id IS NOT NULL)", name="module_has_degree"),
        CheckConstraint("period > 0", name="period_positive"),
    )

    id: Mapped[int] = mapped_column(key("product.id", ondelete="CASCADE"), primary_key=True)
    sub_category_id: Mapped[int] = mapped_column(key("course_sub_category.id"), index=True)
    course_type: Mapped[CourseType] = mapped_column(EnumNumber(CourseType), default=CourseType.PAID)
    degree_course_id: Mapped[int | None] = mapped_column(key("degree_course.id"), index=True)
    level: Mapped[Level] = mapped_column(EnumNumber(Level), default=Level.INTERMEDIATE)
    pub_date: Mapped[date | None]
    period: Mapped[int] = mapped_column(default=7)  # recommended days of study
    order: Mapped[int] = mapped_column(default=0)
    attachment_path: Mapped[str | None] = mapped_column(String(128))

    sub_category: Mapped[CourseSubCategory] = relationship()
    degree_course: Mapped[DegreeCourse | None] = relationship(foreign_keys=[degree_course_id], back_populates="modules")
    detail: Mapped[CourseDetail | None] = relationship(cascade="all, delete-orphan")
    chapters: Mapped[list[CourseChapter]] = relationship(
        order_by="CourseChapter.chapter", back_populates="course", cascade="all, delete-orphan"
    )
    recommended: Mapped[list[Course]] = relationship(
        secondary=course_recommendation,
        primaryjoin=lambda: Course.id == course_recommendation.c.course_id,
        secondaryjoin=lambda: Course.id == course_recommendation.c.recommended_id,
    )

    @property
    def is_module(self) -> bool:
        return self.course_type is CourseType.MODULE


class CourseDetail(Model):
    """The long texts of a course page."""

    __tablename__ = "course_detail"

    course_id: Mapped[int] = mapped_column(key("course.id", ondelete="CASCADE"), primary_key=True)
    hours: Mapped[int] = mapped_column(default=0)
    course_slogan: Mapped[str] = mapped_column(String(125), default="")
    video_brief_link: Mapped[str] = mapped_column(String(255), default="")
    why_study: Mapped[str] = mapped_column(Text, default="")
    what_to_study_brief: Mapped[str] = mapped_column(Text, default="")
    career_improvement: Mapped[str] = mapped_column(Text, default="")
    prerequisite: Mapped[str] = mapped_column(Text, default="")
    outlines: Mapped[list[CourseOutline]] = relationship(order_by="CourseOutline.order", cascade="all, delete-orphan")


class CourseOutline(Model):
    """课程大纲: what one learns, in headed paragraphs."""

    __tablename__ = "course_outline"
    __table_args__ = (UniqueConstraint("course_id", "title"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(key("course_detail.course_id", ondelete="CASCADE"))
    order: Mapped[int] = mapped_column(default=0)
    title: Mapped[str] = mapped_column(String(128))
    content: Mapped[str] = mapped_column(Text, default="")


class CourseChapter(Model):
    """章节."""

    __tablename__ = "course_chapter"
    __table_args__ = (UniqueConstraint("course_id", "chapter"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(key("course.id", ondelete="CASCADE"))
    chapter: Mapped[int] = mapped_column(default=1)
    name: Mapped[str] = mapped_column(String(128))
    summary: Mapped[str] = mapped_column(Text, default="")
    pub_date: Mapped[date | None]

    course: Mapped[Course] = relationship(back_populates="chapters")
    sections: Mapped[list[CourseSection]] = relationship(
        order_by="CourseSection.order", back_populates="chapter", cascade="all, delete-orphan"
    )
    homework: Mapped[list[Homework]] = relationship(order_by="Homework.order", cascade="all, delete-orphan")


class CourseSection(Model):
    """课时: a lesson, as Markdown, an exercise or a video."""

    __tablename__ = "course_section"
    __table_args__ = (
        UniqueConstraint("chapter_id", "section_link"),
        UniqueConstraint("chapter_id", "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    chapter_id: Mapped[int] = mapped_column(key("course_chapter.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(128))
    order: Mapped[int] = mapped_column(default=0)
    section_type: Mapped[SectionType] = mapped_column(EnumNumber(SectionType), default=SectionType.VIDEO)
    section_link: Mapped[str | None] = mapped_column(String(255))  # where the video is
    content: Mapped[str] = mapped_column(Text, default="")  # Markdown
    video_time: Mapped[str | None] = mapped_column(String(32))
    pub_date: Mapped[date | None]
    free_trail: Mapped[bool] = mapped_column(default=False)  # 可试看, spelt as in the source

    chapter: Mapped[CourseChapter] = relationship(back_populates="sections")


class Homework(Model):
    """作业 of a chapter, or the final test of a module."""

    __tablename__ = "homework"
    __table_args__ = (
        UniqueConstraint("chapter_id", "title"),
        CheckConstraint("recommend_period > 0", name="recommend_period_positive"),
        CheckConstraint("scholarship_value >= 0", name="scholarship_value_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    chapter_id: Mapped[int] = mapped_column(key("course_chapter.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(128))
    order: Mapped[int] = mapped_column(default=0)
    homework_type: Mapped[HomeworkType] = mapped_column(EnumNumber(HomeworkType), default=HomeworkType.HOMEWORK)
    requirement: Mapped[str] = mapped_column(Text, default="")
    threshold: Mapped[str] = mapped_column(Text, default="")
    recommend_period: Mapped[int] = mapped_column(default=7)
    scholarship_value: Mapped[int] = mapped_column(default=0)  # 贝里
    note: Mapped[str | None] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(default=True)


class OftenAskedQuestion(Model):
    """常见问题 of a course or a degree."""

    __tablename__ = "often_asked_question"
    __table_args__ = (UniqueConstraint("product_id", "question"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(key("product.id", ondelete="CASCADE"))
    question: Mapped[str] = mapped_column(String(255))
    answer: Mapped[str] = mapped_column(Text)


class Scholarship(Model):
    """学位课程奖学金: 贝里 for finishing within a percentage of the recommended days."""

    __tablename__ = "scholarship"
    __table_args__ = (
        UniqueConstraint("degree_course_id", "time_percent"),
        CheckConstraint("time_percent > 0", name="time_percent_positive"),
        CheckConstraint("value >= 0", name="value_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    degree_course_id: Mapped[int] = mapped_column(key("degree_course.id", ondelete="CASCADE"))
    time_percent: Mapped[int]
    value: Mapped[int]


class PricePolicy(Model):
    """价格策略: one price for one period of access."""

    __tablename__ = "price_policy"
    __table_args__ = (
        UniqueConstraint("product_id", "valid_period"),
        CheckConstraint("price_fen >= 0", name="price_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(key("product.id", ondelete="CASCADE"))
    valid_period: Mapped[ValidPeriod] = mapped_column(EnumNumber(ValidPeriod))
    price_fen: Mapped[int]

    product: Mapped[Product] = relationship(back_populates="policies")


# ---------------------------------------------------------------- coupons


class Coupon(Model):
    """优惠券生成规则: what a coupon does, who may claim it when, and how long it can be used (source L6-L60)."""

    __tablename__ = "coupon"
    __table_args__ = (
        CheckConstraint("close_date >= open_date", name="claim_window"),
        CheckConstraint("(valid_begin_date IS NULL) = (valid_end_date IS NULL)", name="both_dates_or_none"),
        CheckConstraint("valid_end_date >= valid_begin_date", name="use_window"),
        CheckConstraint("valid_begin_date IS NOT NULL OR coupon_valid_days IS NOT NULL", name="has_a_use_window"),
        CheckConstraint("coupon_valid_days > 0", name="valid_days_positive"),
        CheckConstraint(
            "CASE coupon_type WHEN 2 THEN money_equivalent_fen = 0 ELSE money_equivalent_fen > 0 END",
            name="face_by_type",
        ),
        CheckConstraint(
            "CASE coupon_type WHEN 2 THEN off_percent IS NOT NULL AND off_percent BETWEEN 1 AND 99"
            " ELSE off_percent IS NULL END",
            name="percent_by_type",
        ),
        CheckConstraint(
            "CASE coupon_type WHEN 1 THEN minimum_consume_fen > 0 ELSE minimum_consume_fen = 0 END",
            name="minimum_by_type",
        ),
        CheckConstraint("claimed >= 0 AND claimed <= quantity", name="claims_within_quantity"),
        CheckConstraint("NOT enabled OR published_time IS NOT NULL", name="enabled_is_published"),
        Index(None, "is_public", "open_date", "close_date"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    brief: Mapped[str | None] = mapped_column(Text)
    coupon_type: Mapped[CouponKind] = mapped_column(EnumNumber(CouponKind), default=CouponKind.FLAT)
    money_equivalent_fen: Mapped[int] = mapped_column(default=0)
    off_percent: Mapped[int | None]  # the percent that is paid: 79 is 7.9折
    minimum_consume_fen: Mapped[int] = mapped_column(default=0)
    product_id: Mapped[int | None] = mapped_column(key("product.id"), index=True)  # none: 全站
    quantity: Mapped[int] = mapped_column(default=1)
    claimed: Mapped[int] = mapped_column(default=0)
    open_date: Mapped[date]
    close_date: Mapped[date]
    valid_begin_date: Mapped[date | None]
    valid_end_date: Mapped[date | None]
    coupon_valid_days: Mapped[int | None]
    is_public: Mapped[bool] = mapped_column(default=True)  # claimed by anybody; else by code or given
    enabled: Mapped[bool] = mapped_column(default=True)
    published_time: Mapped[datetime | None] = mapped_column(Instant, default=now)  # none: a draft
    date: Mapped[datetime] = mapped_column(Instant, default=now)

    product: Mapped[Product | None] = relationship()


class CouponRecord(Model):
    """One coupon in one account's hands (用户优惠券); its use window is fixed when it is claimed."""

    __tablename__ = "coupon_record"
    __table_args__ = (
        UniqueConstraint("coupon_id", "account_id"),
        CheckConstraint("(status = 1) = (used_time IS NOT NULL)", name="used_has_time"),
        CheckConstraint("(status = 1) = (order_id IS NOT NULL)", name="used_has_order"),
        CheckConstraint("valid_until >= valid_from", name="use_window"),
        Index(None, "account_id", "status"),
        Index(None, "coupon_id", "id"),  # the records of a campaign, the latest first
        Index(None, "coupon_id", "status"),  # how many of a campaign are used
        Index(
            "ix_coupon_record_unused",
            "valid_until",
            sqlite_where=text("status = 0"),
            postgresql_where=text("status = 0"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    coupon_id: Mapped[int] = mapped_column(key("coupon.id"))
    number: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(key("account.id"))
    status: Mapped[CouponStatus] = mapped_column(EnumNumber(CouponStatus), default=CouponStatus.UNUSED)
    get_time: Mapped[datetime] = mapped_column(Instant, default=now)
    used_time: Mapped[datetime | None] = mapped_column(Instant)
    order_id: Mapped[int | None] = mapped_column(key("orders.id"), index=True)
    valid_from: Mapped[datetime] = mapped_column(Instant)
    valid_until: Mapped[datetime] = mapped_column(Instant)  # inclusive

    coupon: Mapped[Coupon] = relationship()


class CouponCode(Model):
    """A code that becomes a coupon record once; perhaps reserved for one account."""

    __tablename__ = "coupon_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    coupon_id: Mapped[int] = mapped_column(key("coupon.id"), index=True)
    account_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    record_id: Mapped[int | None] = mapped_column(key("coupon_record.id"), unique=True)
    created_time: Mapped[datetime] = mapped_column(Instant, default=now)


# ---------------------------------------------------------------- orders and money


class Order(Model):
    """订单. The amounts say how it came about: list − discounts − 贝里 = what Alipay is asked for."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(
            "list_amount_fen - course_discount_fen - site_discount_fen - beli_fen = actual_amount_fen",
            name="amounts_add_up",
        ),
        CheckConstraint(
            "course_discount_fen >= 0 AND site_discount_fen >= 0 AND beli >= 0 AND beli_fen >= 0"
            " AND actual_amount_fen >= 0",
            name="amounts_not_negative",
        ),
        CheckConstraint("status NOT IN (0, 2, 3) OR pay_time IS NOT NULL", name="paid_has_time"),
        CheckConstraint("status <> 1 OR (pay_time IS NULL AND cancel_time IS NULL)", name="pending_has_no_time"),
        CheckConstraint("status NOT IN (4, 5) OR cancel_time IS NOT NULL", name="ended_has_time"),
        CheckConstraint("pay_time IS NULL OR pay_time >= date", name="paid_after_placed"),
        Index(None, "account_id", "date"),
        Index(None, "date", "id"),
        Index(None, "status", "date", "id"),
        Index(None, "actual_amount_fen", "id"),
        Index(None, "pay_time", "id"),
        Index("ix_orders_pending", "expires_at", sqlite_where=text("status = 1"), postgresql_where=text("status = 1")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(String(32), unique=True)
    account_id: Mapped[int] = mapped_column(key("account.id"))
    status: Mapped[OrderStatus] = mapped_column(EnumNumber(OrderStatus), default=OrderStatus.PENDING)
    payment_type: Mapped[PaymentType] = mapped_column(EnumNumber(PaymentType))
    payment_number: Mapped[str | None] = mapped_column(String(128), unique=True)  # Alipay's trade_no
    list_amount_fen: Mapped[int]
    course_discount_fen: Mapped[int]
    site_discount_fen: Mapped[int]
    beli: Mapped[int]
    beli_fen: Mapped[int]
    actual_amount_fen: Mapped[int]
    settlement_token: Mapped[str] = mapped_column(String(64), unique=True)
    date: Mapped[datetime] = mapped_column(Instant, default=now)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    pay_time: Mapped[datetime | None] = mapped_column(Instant)
    cancel_time: Mapped[datetime | None] = mapped_column(Instant)

    details: Mapped[list[OrderDetail]] = relationship(back_populates="order", order_by="OrderDetail.id")
    payments: Mapped[list[Payment]] = relationship(back_populates="order", order_by="Payment.id")
    coupons: Mapped[list[CouponRecord]] = relationship(order_by=CouponRecord.id)


class OrderDetail(Model):
    """订单详情: one product with its price and its exact shares of what was taken off and paid."""

    __tablename__ = "order_detail"
    __table_args__ = (
        UniqueConstraint("order_id", "product_id"),
        UniqueConstraint("pending_account_id", "product_id"),  # one unpaid order per person and product (1014)
        CheckConstraint("price_fen - site_discount_fen - beli_fen = actual_amount_fen", name="shares_add_up"),
        CheckConstraint(
            "original_price_fen >= price_fen AND price_fen >= 0 AND site_discount_fen >= 0 AND beli >= 0"
            " AND beli_fen >= 0 AND actual_amount_fen >= 0",
            name="shares_in_range",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(key("orders.id"))
    product_id: Mapped[int] = mapped_column(key("product.id"), index=True)
    policy_id: Mapped[int | None] = mapped_column(key("price_policy.id", ondelete="SET NULL"), index=True)
    # whose unpaid order this is; empty once the order is paid or ended, which is what lifts the unique key above
    pending_account_id: Mapped[int | None] = mapped_column(key("account.id"))
    original_price_fen: Mapped[int]
    price_fen: Mapped[int]
    site_discount_fen: Mapped[int]
    beli: Mapped[int]
    beli_fen: Mapped[int]
    actual_amount_fen: Mapped[int]
    # the coupons that served this line, for ever; who holds them now is told by the records
    coupon_record_id: Mapped[int | None] = mapped_column(key("coupon_record.id"), index=True)
    site_coupon_record_id: Mapped[int | None] = mapped_column(key("coupon_record.id"), index=True)
    content: Mapped[str | None] = mapped_column(String(255))  # a remark of operations
    valid_period_display: Mapped[str] = mapped_column(String(32))
    valid_period: Mapped[int]
    memo: Mapped[str | None] = mapped_column(String(255))

    order: Mapped[Order] = relationship(back_populates="details")
    product: Mapped[Product] = relationship()


class OrderNote(Model):
    """What staff wrote about an order for each other, perhaps to be looked at again on a day."""

    __tablename__ = "order_note"
    __table_args__ = (
        Index(
            "ix_order_note_due",
            "follow_up_date",
            sqlite_where=text("follow_up_date IS NOT NULL AND done_time IS NULL"),
            postgresql_where=text("follow_up_date IS NOT NULL AND done_time IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(key("orders.id"), index=True)
    author_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    follow_up_date: Mapped[date | None]
    done_time: Mapped[datetime | None] = mapped_column(Instant)
    date: Mapped[datetime] = mapped_column(Instant, default=now)


class Payment(Model):
    """One attempt at Alipay: what was asked is frozen and asked again word for word."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("(state IN (1, 3)) = (trade_no IS NOT NULL)", name="paid_has_trade"),
        Index(
            "uq_payment_paid_order_id",
            "order_id",
            unique=True,
            sqlite_where=text("state = 1"),
            postgresql_where=text("state = 1"),
        ),
        Index(
            "uq_payment_open_order_id",
            "order_id",
            unique=True,
            sqlite_where=text("state = 0"),
            postgresql_where=text("state = 0"),
        ),
        Index(
            "ix_payment_surplus",  # few, and looked at by each scrape of /metrics
            "id",
            sqlite_where=text("state = 3"),
            postgresql_where=text("state = 3"),
        ),
        Index(
            "ix_payment_to_ask",
            "next_ask_time",
            sqlite_where=text("next_ask_time IS NOT NULL"),
            postgresql_where=text("next_ask_time IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(key("orders.id"), index=True)
    out_trade_no: Mapped[str] = mapped_column(String(32), unique=True)
    method: Mapped[PaymentMethod] = mapped_column(EnumNumber(PaymentMethod))
    amount_fen: Mapped[int]
    biz_content: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[PaymentState] = mapped_column(EnumNumber(PaymentState), default=PaymentState.OPEN)
    trade_no: Mapped[str | None] = mapped_column(String(64), unique=True)
    created_time: Mapped[datetime] = mapped_column(Instant, default=now)
    expires_at: Mapped[datetime] = mapped_column(Instant)  # the time_expire that Alipay was given
    paid_time: Mapped[datetime | None] = mapped_column(Instant)
    next_ask_time: Mapped[datetime | None] = mapped_column(Instant)  # none: nothing can come of it any more

    order: Mapped[Order] = relationship(back_populates="payments")


class PaymentNotice(Model):
    """One message from Alipay whose signature was valid, what was decided about it, and why."""

    __tablename__ = "payment_notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    notify_id: Mapped[str] = mapped_column(String(128), index=True)  # repeats keep theirs: not unique
    payment_id: Mapped[int | None] = mapped_column(key("payment.id"), index=True)
    out_trade_no: Mapped[str] = mapped_column(String(64), index=True)
    trade_no: Mapped[str] = mapped_column(String(64))
    trade_status: Mapped[str] = mapped_column(String(32))
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    verdict: Mapped[NoticeVerdict] = mapped_column(EnumNumber(NoticeVerdict))
    reason: Mapped[str] = mapped_column(String(255), default="")
    received_time: Mapped[datetime] = mapped_column(Instant, default=now)


class Trouble(Model):
    """Money that fits nothing: seen at Alipay, believed, and of no order. People decide what becomes of it."""

    __tablename__ = "trouble"
    __table_args__ = (
        UniqueConstraint("kind", "out_trade_no", "trade_no", "out_request_no"),
        Index(None, "resolved_time", "found_time"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TroubleKind] = mapped_column(EnumNumber(TroubleKind))
    payment_id: Mapped[int | None] = mapped_column(key("payment.id"), index=True)
    out_trade_no: Mapped[str] = mapped_column(String(64))
    trade_no: Mapped[str] = mapped_column(String(64))
    out_request_no: Mapped[str] = mapped_column(String(64), default="")
    amount_fen: Mapped[int]
    found_by: Mapped[str] = mapped_column(String(16))  # "notice", "query", "bill"
    found_time: Mapped[datetime] = mapped_column(Instant, default=now)
    handler_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    resolved_time: Mapped[datetime | None] = mapped_column(Instant)
    resolution: Mapped[str] = mapped_column(String(255), default="")

    payment: Mapped[Payment | None] = relationship()


MOVED_AT_ALIPAY = "moved "  # how the error of a refund begins whose number Alipay has used for another amount


class Refund(Model):
    """Money and 贝里 on their way back; its number is committed before Alipay is called and kept for ever."""

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint("amount_fen >= 0 AND beli >= 0", name="amounts_not_negative"),
        CheckConstraint("amount_fen = 0 OR payment_id IS NOT NULL", name="cash_has_payment"),
        CheckConstraint("(state = 3) = (done_time IS NOT NULL)", name="done_has_time"),
        CheckConstraint("first_approver_id <> handler_id", name="two_persons"),
        CheckConstraint("(transfer_number IS NULL) = (transfer_by_id IS NULL)", name="transfer_has_person"),
        CheckConstraint("transfer_number IS NULL OR state IN (3, 4)", name="transfer_of_failed_or_done"),
        # one request at a time per order: which lines are suspended is then never a question
        Index(
            "uq_refund_running_order_id",
            "order_id",
            unique=True,
            sqlite_where=text("cause IN (0, 4) AND state IN (0, 1, 2, 4)"),
            postgresql_where=text("cause IN (0, 4) AND state IN (0, 1, 2, 4)"),
        ),
        Index(None, "done_time"),
        Index(None, "requested_time", "id"),
        Index(None, "state", "requested_time", "id"),
        Index(
            "ix_refund_to_try",
            "next_try_time",
            sqlite_where=text("next_try_time IS NOT NULL"),
            postgresql_where=text("next_try_time IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(key("orders.id"), index=True)
    payment_id: Mapped[int | None] = mapped_column(key("payment.id"), index=True)
    trouble_id: Mapped[int | None] = mapped_column(key("trouble.id"), index=True)
    cause: Mapped[RefundCause] = mapped_column(EnumNumber(RefundCause), default=RefundCause.STUDENT)
    out_request_no: Mapped[str] = mapped_column(String(64), unique=True)
    amount_fen: Mapped[int]
    beli: Mapped[int] = mapped_column(default=0)
    state: Mapped[RefundState] = mapped_column(EnumNumber(RefundState), default=RefundState.REQUESTED)
    reason: Mapped[str] = mapped_column(String(255), default="")
    asked_by_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)  # staff; none: the student
    first_approver_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)  # a large sum takes two
    handler_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    decision: Mapped[str] = mapped_column(String(255), default="")
    requested_time: Mapped[datetime] = mapped_column(Instant, default=now)
    decided_time: Mapped[datetime | None] = mapped_column(Instant)
    done_time: Mapped[datetime | None] = mapped_column(Instant)
    tries: Mapped[int] = mapped_column(default=0)  # calls to Alipay begun
    next_try_time: Mapped[datetime | None] = mapped_column(Instant)  # none: nothing for the job to do
    leased_until: Mapped[datetime | None] = mapped_column(Instant)  # a call is under way, or was a moment ago
    error: Mapped[str] = mapped_column(String(64), default="")  # Alipay's last sub_code
    transfer_number: Mapped[str | None] = mapped_column(String(64), unique=True)  # returned another way than by Alipay
    transfer_by_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)  # who has written that down

    @property
    def is_moved_at_alipay(self) -> bool:
        """Whether it failed because Alipay has moved another amount under its number."""
        return self.error.startswith(MOVED_AT_ALIPAY)

    order: Mapped[Order] = relationship()
    payment: Mapped[Payment | None] = relationship()
    details: Mapped[list[RefundDetail]] = relationship(order_by="RefundDetail.id")


class RefundDetail(Model):
    """One order line of a refund, with the stored shares that go back."""

    __tablename__ = "refund_detail"
    __table_args__ = (
        UniqueConstraint("refund_id", "order_detail_id"),
        CheckConstraint("amount_fen >= 0 AND beli >= 0", name="amounts_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    refund_id: Mapped[int] = mapped_column(key("refund.id"))
    order_detail_id: Mapped[int] = mapped_column(key("order_detail.id"), index=True)
    amount_fen: Mapped[int]
    beli: Mapped[int]

    order_detail: Mapped[OrderDetail] = relationship()


class TransactionRecord(Model):
    """贝里交易纪录: appended only. The amount is positive, the type gives its direction."""

    __tablename__ = "transaction_record"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("balance_after >= 0", name="balance_not_negative"),
        Index(None, "account_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"))
    amount: Mapped[int]
    balance_after: Mapped[int]
    transaction_type: Mapped[TransactionType] = mapped_column(EnumNumber(TransactionType))
    transaction_number: Mapped[str] = mapped_column(String(64), unique=True)
    order_id: Mapped[int | None] = mapped_column(key("orders.id"), index=True)
    refund_id: Mapped[int | None] = mapped_column(key("refund.id"), index=True)
    score_record_id: Mapped[int | None] = mapped_column(key("score_record.id"), index=True)
    withdrawal_id: Mapped[int | None] = mapped_column(key("withdrawal.id"), index=True)
    gift_id: Mapped[int | None] = mapped_column(key("gift.id"), unique=True)
    date: Mapped[datetime] = mapped_column(Instant, default=now)
    memo: Mapped[str | None] = mapped_column(String(128))


class Gift(Model):
    """贝里 or a coupon that staff give a person by hand: one proposes, another one gives or refuses."""

    __tablename__ = "gift"
    __table_args__ = (
        CheckConstraint("CASE kind WHEN 0 THEN beli > 0 ELSE beli IS NULL END", name="beli_by_kind"),
        CheckConstraint("(kind = 1) = (coupon_id IS NOT NULL)", name="coupon_by_kind"),
        CheckConstraint("(state = 0) = (decided_time IS NULL)", name="decided_has_time"),
        CheckConstraint("handler_id <> proposer_id", name="two_persons"),
        CheckConstraint("proposer_id <> account_id AND handler_id <> account_id", name="nothing_for_oneself"),
        Index("ix_gift_waiting", "id", sqlite_where=text("state = 0"), postgresql_where=text("state = 0")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[GiftKind] = mapped_column(EnumNumber(GiftKind))
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    beli: Mapped[int | None]
    coupon_id: Mapped[int | None] = mapped_column(key("coupon.id"), index=True)
    reason: Mapped[str] = mapped_column(String(255))
    state: Mapped[GiftState] = mapped_column(EnumNumber(GiftState), default=GiftState.WAITING)
    proposer_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    handler_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    decision: Mapped[str] = mapped_column(String(255), default="")
    proposed_time: Mapped[datetime] = mapped_column(Instant, default=now)
    decided_time: Mapped[datetime | None] = mapped_column(Instant)

    account: Mapped[Account] = relationship(foreign_keys=[account_id])
    coupon: Mapped[Coupon | None] = relationship()


class Withdrawal(Model):
    """提现申请: 贝里 out of the shop, decided and paid by people."""

    __tablename__ = "withdrawal"
    __table_args__ = (
        CheckConstraint("amount > 0 AND amount_fen > 0", name="amount_positive"),
        CheckConstraint("(state = 0) = (decided_time IS NULL)", name="decided_has_time"),
        CheckConstraint("(state = 1) = (paid_time IS NOT NULL)", name="paid_has_time"),
        CheckConstraint("handler_id <> account_id AND payer_id <> account_id", name="nobody_decides_on_their_own"),
        CheckConstraint("payer_id <> handler_id", name="two_persons"),
        Index(None, "state", "requested_time", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    amount: Mapped[int]  # 贝里
    amount_fen: Mapped[int]  # what they are worth on the day of the request
    state: Mapped[WithdrawalState] = mapped_column(EnumNumber(WithdrawalState), default=WithdrawalState.WAITING)
    payee_account: Mapped[str] = mapped_column(String(128))
    payee_name: Mapped[str] = mapped_column(String(64))
    handler_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)  # who said yes, or no
    decision: Mapped[str] = mapped_column(String(255), default="")
    requested_time: Mapped[datetime] = mapped_column(Instant, default=now)
    decided_time: Mapped[datetime | None] = mapped_column(Instant)
    payer_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)  # who has paid it, another person
    paid_time: Mapped[datetime | None] = mapped_column(Instant)
    payment_number: Mapped[str | None] = mapped_column(String(128), unique=True)  # Alipay's number of the transfer


class AuditLog(Model):
    """Who changed what, when, from what to what, and why. Rows are added, never changed."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "subject_table", "subject_id"), Index(None, "actor", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)  # none: a job or a command
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    subject_table: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[int]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(String(255), default="")
    date: Mapped[datetime] = mapped_column(Instant, default=now, index=True)


class DataExport(Model):
    """A person's own data to take along (safety.md 7.3): a link that works once, for a day."""

    __tablename__ = "data_export"
    __table_args__ = (CheckConstraint("expires_at > created_time", name="expires_later"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # of the token in the link
    created_time: Mapped[datetime] = mapped_column(Instant, default=now)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_time: Mapped[datetime | None] = mapped_column(Instant)


class VisitCount(Model):
    """How many different people took one step of a visit on one Shanghai day; a number, and nothing about anybody."""

    __tablename__ = "visit_count"
    __table_args__ = (CheckConstraint("people >= 0", name="people_not_negative"),)

    day: Mapped[date] = mapped_column(primary_key=True)
    step: Mapped[VisitStep] = mapped_column(EnumNumber(VisitStep), primary_key=True)
    people: Mapped[int] = mapped_column(default=0)


class Reconciliation(Model):
    """对账: one day's bill of Alipay beside the shop's books, as the last run found them."""

    __tablename__ = "reconciliation"

    id: Mapped[int] = mapped_column(primary_key=True)
    bill_date: Mapped[date] = mapped_column(unique=True)
    run_time: Mapped[datetime] = mapped_column(Instant, default=now)
    runs: Mapped[int] = mapped_column(default=1)
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)  # counts and fen, of the bill and of the shop

    differences: Mapped[list[ReconciliationDifference]] = relationship(order_by="ReconciliationDifference.id")


class ReconciliationDifference(Model):
    """One line in which the bill and the shop disagreed, whether it was healed, and who closed it."""

    __tablename__ = "reconciliation_difference"
    __table_args__ = (
        UniqueConstraint(
            *("reconciliation_id", "kind", "out_trade_no", "trade_no", "out_request_no"),
            name="uq_reconciliation_difference_line",  # PostgreSQL's names end after 63 letters
        ),
        Index("ix_reconciliation_difference_open", "resolved_time", "is_healed"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reconciliation_id: Mapped[int] = mapped_column(key("reconciliation.id"))
    kind: Mapped[DifferenceKind] = mapped_column(EnumNumber(DifferenceKind))
    out_trade_no: Mapped[str] = mapped_column(String(64))
    trade_no: Mapped[str] = mapped_column(String(64))
    out_request_no: Mapped[str] = mapped_column(String(64), default="")
    bill_fen: Mapped[int | None]  # refunds are negative, as in the bill
    shop_fen: Mapped[int | None]
    is_healed: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str] = mapped_column(String(255), default="")
    handler_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    resolved_time: Mapped[datetime | None] = mapped_column(Instant)
    resolution: Mapped[str] = mapped_column(String(255), default="")


class JobRun(Model):
    """How a scheduled job fared last; one row per job."""

    __tablename__ = "job_run"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    started_time: Mapped[datetime] = mapped_column(Instant, default=now)
    succeeded_time: Mapped[datetime | None] = mapped_column(Instant)
    seconds: Mapped[float] = mapped_column(default=0.0)  # of the last run that ended
    runs: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    counts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what the last good run did
    error: Mapped[str] = mapped_column(String(255), default="")  # of the last run, empty when it was good


class NightlyRun(Model):
    """The 02:00 job of one night: what each step did. A night without ``finished_time`` is caught up."""

    __tablename__ = "nightly_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    night: Mapped[date] = mapped_column(unique=True)
    started_time: Mapped[datetime] = mapped_column(Instant, default=now)
    leased_until: Mapped[datetime | None] = mapped_column(Instant)  # a process is at work on it
    finished_time: Mapped[datetime | None] = mapped_column(Instant)
    steps: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class AuditRun(Model):
    """One run of the whole audit by the nightly job, with the rows it named."""

    __tablename__ = "audit_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    started_time: Mapped[datetime] = mapped_column(Instant, default=now)
    seconds: Mapped[float]
    checks: Mapped[int]
    findings: Mapped[list[Any]] = mapped_column(JSON)
    notices: Mapped[list[Any]] = mapped_column(JSON)


# ---------------------------------------------------------------- learning


class EnrolledCourse(Model):
    """报名专题课: access to a course between two days, because of one order line."""

    __tablename__ = "enrolled_course"
    __table_args__ = (
        CheckConstraint("valid_end_date >= valid_begin_date", name="period"),
        Index(None, "account_id", "course_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"))
    course_id: Mapped[int] = mapped_column(key("course.id"), index=True)
    enrolled_date: Mapped[datetime] = mapped_column(Instant, default=now)
    valid_begin_date: Mapped[date]
    valid_end_date: Mapped[date] = mapped_column(index=True)  # access through this day
    status: Mapped[EnrolmentStatus] = mapped_column(EnumNumber(EnrolmentStatus), default=EnrolmentStatus.OPEN)
    order_detail_id: Mapped[int] = mapped_column(key("order_detail.id"), unique=True)
    closed_time: Mapped[datetime | None] = mapped_column(Instant)  # ended by a refund

    course: Mapped[Course] = relationship()
    order_detail: Mapped[OrderDetail] = relationship()


class EnrolledDegreeCourse(Model):
    """报名学位课."""

    __tablename__ = "enrolled_degree_course"
    __table_args__ = (
        CheckConstraint("mentor_fee_balance >= 0", name="fee_not_negative"),
        CheckConstraint("reward_balance >= 0", name="rewards_not_negative"),
        CheckConstraint("(study_status IN (2, 3)) = (ended_time IS NOT NULL)", name="ended_has_time"),
        CheckConstraint("(valid_begin_date IS NULL) = (valid_end_date IS NULL)", name="both_dates_or_none"),
        Index(
            "uq_enrolled_degree_course_living",
            "account_id",
            "degree_course_id",
            unique=True,
            sqlite_where=text("closed_time IS NULL"),
            postgresql_where=text("closed_time IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"))
    degree_course_id: Mapped[int] = mapped_column(key("degree_course.id"), index=True)
    enrolled_date: Mapped[datetime] = mapped_column(Instant, default=now)
    valid_begin_date: Mapped[date | None]  # two years, from the day the first module opens
    valid_end_date: Mapped[date | None]
    study_status: Mapped[StudyStatus] = mapped_column(EnumNumber(StudyStatus), default=StudyStatus.NOT_STARTED)
    mentor_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    mentor_fee_balance: Mapped[int] = mapped_column(default=0)  # 贝里; changed only together with a score_record
    reward_balance: Mapped[int] = mapped_column(default=0)  # 贝里 of the student that have not matured; likewise
    order_detail_id: Mapped[int] = mapped_column(key("order_detail.id"), unique=True)
    ended_time: Mapped[datetime | None] = mapped_column(Instant)  # graduated, or out of time
    closed_time: Mapped[datetime | None] = mapped_column(Instant)  # ended by a refund

    account: Mapped[Account] = relationship(foreign_keys=[account_id])
    mentor: Mapped[Account | None] = relationship(foreign_keys=[mentor_id])
    degree_course: Mapped[DegreeCourse] = relationship()
    order_detail: Mapped[OrderDetail] = relationship()
    study_records: Mapped[list[StudyRecord]] = relationship(order_by="StudyRecord.id")
    registration: Mapped[DegreeRegistrationForm | None] = relationship()


class MentorAssignment(Model):
    """Who was the mentor of an enrolment, from when until when: a new mentor starts with no debts of the one before."""

    __tablename__ = "mentor_assignment"
    __table_args__ = (
        CheckConstraint("fee >= 0", name="fee_not_negative"),
        CheckConstraint("until_time >= from_time", name="period"),
        Index(
            "uq_mentor_assignment_present",
            "enrolled_degree_course_id",
            unique=True,
            sqlite_where=text("until_time IS NULL"),
            postgresql_where=text("until_time IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    enrolled_degree_course_id: Mapped[int] = mapped_column(key("enrolled_degree_course.id"), index=True)
    mentor_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    fee: Mapped[int]  # 贝里 that came with it: the initial fee, or what the mentor before had left
    from_time: Mapped[datetime] = mapped_column(Instant, default=now)
    until_time: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(String(255), default="")


class StudyLeave(Model):
    """休学: a stretch of time that counts neither for the student nor against the mentor."""

    __tablename__ = "study_leave"
    __table_args__ = (
        CheckConstraint("end_time >= begin_time", name="period"),
        Index(
            "uq_study_leave_present",
            "enrolled_degree_course_id",
            unique=True,
            sqlite_where=text("end_time IS NULL"),
            postgresql_where=text("end_time IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    enrolled_degree_course_id: Mapped[int] = mapped_column(key("enrolled_degree_course.id"), index=True)
    begin_time: Mapped[datetime] = mapped_column(Instant, default=now)
    end_time: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(String(255), default="")


class DegreeRegistrationDraft(Model):
    """A 报名表 that is not filed yet, as far as it is filled in; gone once it is filed."""

    __tablename__ = "degree_registration_draft"

    enrolled_degree_id: Mapped[int] = mapped_column(key("enrolled_degree_course.id"), primary_key=True)
    answers: Mapped[dict[str, Any]] = mapped_column(JSON)  # by field, as they were typed
    saved_time: Mapped[datetime] = mapped_column(Instant, default=now)


class DegreeRegistrationForm(Model):
    """学位课程报名表."""

    __tablename__ = "degree_registration_form"
    __table_args__ = (
        CheckConstraint("current_salary IS NULL OR salary_consent_time IS NOT NULL", name="salary_has_consent"),
        CheckConstraint(
            "(salary_consent_time IS NULL) = (salary_consent_version IS NULL)", name="consent_has_its_text"
        ),
        CheckConstraint("work_experience IS NOT NULL OR erased_time IS NOT NULL", name="erased_or_complete"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    enrolled_degree_id: Mapped[int] = mapped_column(key("enrolled_degree_course.id"), unique=True)
    current_company: Mapped[str] = mapped_column(String(64))
    current_position: Mapped[str] = mapped_column(String(64))
    current_salary: Mapped[int | None]
    salary_consent_time: Mapped[datetime | None] = mapped_column(Instant)
    salary_consent_version: Mapped[str | None] = mapped_column(String(16))  # of the text that was agreed to
    work_experience: Mapped[WorkExperience | None] = mapped_column(EnumNumber(WorkExperience))
    open_module: Mapped[bool] = mapped_column(default=True)
    stu_specified_mentor: Mapped[str | None] = mapped_column(String(32))
    study_plan: Mapped[StudyPlan] = mapped_column(EnumNumber(StudyPlan), default=StudyPlan.TWO_TO_THREE)
    why_take_this_course: Mapped[str] = mapped_column(String(1024))
    why_choose_us: Mapped[str] = mapped_column(String(1024))
    your_expectation: Mapped[str] = mapped_column(String(1024))
    memo: Mapped[str | None] = mapped_column(String(255))
    filed_time: Mapped[datetime] = mapped_column(Instant, default=now)
    filings: Mapped[int] = mapped_column(default=1)
    reopened_time: Mapped[datetime | None] = mapped_column(Instant)  # staff let the student correct it
    erased_time: Mapped[datetime | None] = mapped_column(Instant)  # what is sensitive in it was let go of


class StudyRecord(Model):
    """学习记录: one per module from the day a degree is paid."""

    __tablename__ = "study_record"
    __table_args__ = (UniqueConstraint("enrolled_degree_course_id", "course_module_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    enrolled_degree_course_id: Mapped[int] = mapped_column(key("enrolled_degree_course.id"))
    course_module_id: Mapped[int] = mapped_column(key("course.id"), index=True)
    open_date: Mapped[date | None]
    end_date: Mapped[date | None]
    status: Mapped[ModuleStatus] = mapped_column(EnumNumber(ModuleStatus), default=ModuleStatus.LOCKED)

    course_module: Mapped[Course] = relationship()


class CourseSchedule(Model):
    """课程模块计划表: when each homework of an opened module should be handed in."""

    __tablename__ = "course_schedule"
    __table_args__ = (UniqueConstraint("study_record_id", "homework_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_record_id: Mapped[int] = mapped_column(key("study_record.id"))
    homework_id: Mapped[int] = mapped_column(key("homework.id"), index=True)
    recommend_date: Mapped[date]


class HomeworkRecord(Model):
    """学员作业记录及成绩."""

    __tablename__ = "homework_record"
    __table_args__ = (UniqueConstraint("homework_id", "student_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    homework_id: Mapped[int] = mapped_column(key("homework.id"))
    student_id: Mapped[int] = mapped_column(key("enrolled_degree_course.id"), index=True)
    score: Mapped[Score | None] = mapped_column(EnumNumber(Score))
    mentor_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)  # who graded it last
    mentor_comment: Mapped[str | None] = mapped_column(Text)
    status: Mapped[HomeworkStatus] = mapped_column(EnumNumber(HomeworkStatus), default=HomeworkStatus.WAITING)
    submit_num: Mapped[int] = mapped_column(default=0)
    correct_date: Mapped[datetime | None] = mapped_column(Instant)
    note: Mapped[str | None] = mapped_column(Text)
    date: Mapped[datetime] = mapped_column(Instant, default=now)
    check_date: Mapped[datetime | None] = mapped_column(Instant)
    update_time: Mapped[datetime] = mapped_column(Instant, default=now, onupdate=now)
    reward_status: Mapped[RewardStatus] = mapped_column(EnumNumber(RewardStatus), default=RewardStatus.NEW)

    homework: Mapped[Homework] = relationship()
    student: Mapped[EnrolledDegreeCourse] = relationship()
    submissions: Mapped[list[HomeworkSubmission]] = relationship(
        order_by="HomeworkSubmission.number", back_populates="record"
    )


class HomeworkSubmission(Model):
    """One hand-in of a homework, and how it was graded; its record above is how the homework stands now."""

    __tablename__ = "homework_submission"
    __table_args__ = (
        UniqueConstraint("homework_record_id", "number"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("(score IS NULL) = (checked_time IS NULL)", name="graded_has_time"),
        CheckConstraint("(score IS NULL) = (grader_id IS NULL)", name="graded_has_grader"),
        Index(None, "submitted_time"),
        Index(
            "ix_homework_submission_waiting",
            "submitted_time",
            sqlite_where=text("checked_time IS NULL"),
            postgresql_where=text("checked_time IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    homework_record_id: Mapped[int] = mapped_column(key("homework_record.id"))
    number: Mapped[int]  # 1 is the first hand-in
    content: Mapped[str] = mapped_column(Text, default="")  # plain text, with links in it
    submitted_time: Mapped[datetime] = mapped_column(Instant, default=now)
    score: Mapped[Score | None] = mapped_column(EnumNumber(Score))
    comment: Mapped[str] = mapped_column(Text, default="")
    grader_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    checked_time: Mapped[datetime | None] = mapped_column(Instant)

    record: Mapped[HomeworkRecord] = relationship(back_populates="submissions")
    uploads: Mapped[list[Upload]] = relationship(order_by="Upload.id")


class Upload(Model):
    """A file that somebody handed in: kept outside the web root under a name of the shop's own."""

    __tablename__ = "upload"
    __table_args__ = (
        CheckConstraint("(homework_submission_id IS NULL) <> (follow_up_id IS NULL)", name="of_one_thing"),
        CheckConstraint("size > 0", name="size_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    homework_submission_id: Mapped[int | None] = mapped_column(key("homework_submission.id"), index=True)
    follow_up_id: Mapped[int | None] = mapped_column(key("stu_follow_up_record.id"), index=True)
    stored_name: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(255))  # as its owner calls it
    mime_type: Mapped[str] = mapped_column(String(128))  # by its content
    size: Mapped[int]  # bytes
    date: Mapped[datetime] = mapped_column(Instant, default=now)


class StuFollowUpRecord(Model):
    """学员跟进记录."""

    __tablename__ = "stu_follow_up_record"

    id: Mapped[int] = mapped_column(primary_key=True)
    enrolled_degree_course_id: Mapped[int] = mapped_column(key("enrolled_degree_course.id"), index=True)
    mentor_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    followup_tool: Mapped[FollowUpTool] = mapped_column(EnumNumber(FollowUpTool), default=FollowUpTool.WECHAT)
    record: Mapped[str] = mapped_column(Text)
    attachment_path: Mapped[str | None] = mapped_column(String(128))  # the stored name of its upload
    date: Mapped[datetime] = mapped_column(Instant, default=now)

    uploads: Mapped[list[Upload]] = relationship()


class Question(Model):
    """A student's question about a degree or a lesson."""

    __tablename__ = "question"
    __table_args__ = (
        CheckConstraint("(degree_course_id IS NULL) <> (course_section_id IS NULL)", name="about_one_thing"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    degree_course_id: Mapped[int | None] = mapped_column(key("degree_course.id"), index=True)
    course_section_id: Mapped[int | None] = mapped_column(key("course_section.id"), index=True)
    # whose mentor has to answer
    enrolled_degree_course_id: Mapped[int | None] = mapped_column(key("enrolled_degree_course.id"), index=True)
    title: Mapped[str] = mapped_column(String(128))
    content: Mapped[str] = mapped_column(Text)
    status: Mapped[QuestionStatus] = mapped_column(EnumNumber(QuestionStatus), default=QuestionStatus.WAITING)
    date: Mapped[datetime] = mapped_column(Instant, default=now)

    account: Mapped[Account] = relationship()
    answers: Mapped[list[Answer]] = relationship(order_by="Answer.id")


class Answer(Model):
    """An answer to a question."""

    __tablename__ = "answer"

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(key("question.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    content: Mapped[str] = mapped_column(Text)
    date: Mapped[datetime] = mapped_column(Instant, default=now)


class Complaint(Model):
    """投诉: a student about a mentor, decided by staff."""

    __tablename__ = "complaint"
    __table_args__ = (
        CheckConstraint("(state = 0) = (decided_time IS NULL)", name="decided_has_time"),
        Index(
            "uq_complaint_waiting",
            "enrolled_degree_course_id",
            unique=True,
            sqlite_where=text("state = 0"),
            postgresql_where=text("state = 0"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    enrolled_degree_course_id: Mapped[int] = mapped_column(key("enrolled_degree_course.id"), index=True)
    mentor_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    content: Mapped[str] = mapped_column(Text)
    state: Mapped[ComplaintState] = mapped_column(EnumNumber(ComplaintState), default=ComplaintState.WAITING)
    handler_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    decision: Mapped[str] = mapped_column(String(255), default="")
    date: Mapped[datetime] = mapped_column(Instant, default=now)
    decided_time: Mapped[datetime | None] = mapped_column(Instant)


class ScoreRule(Model):
    """积分规则: one point is one 贝里; 0 means that the value is kept elsewhere, or that the rule does nothing.

    The highest version of a rule is in force. A change adds a version: what was booked keeps the one it was booked by.
    """

    __tablename__ = "score_rule"
    __table_args__ = (
        UniqueConstraint("rule", "score_type", "version"),
        CheckConstraint("score >= 0", name="score_not_negative"),
        CheckConstraint("version > 0", name="version_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rule: Mapped[Rule] = mapped_column(EnumNumber(Rule))
    score_type: Mapped[ScoreType] = mapped_column(EnumNumber(ScoreType), default=ScoreType.REWARD)
    version: Mapped[int] = mapped_column(default=1)
    score: Mapped[int]  # 贝里
    memo: Mapped[str | None] = mapped_column(String(255))
    date: Mapped[datetime] = mapped_column(Instant, default=now)


class ScoreRecord(Model):
    """积分奖惩记录: one change of a purse of an enrolment. Never edited; a correction is a row that reverses it.

    Its value is copied from the rule, so that a new rule rewrites no history. Only what maturing writes comes later:
    ``maturity_date``, ``applied``, ``applied_date`` and ``received_score``, once.
    """

    __tablename__ = "score_record"
    __table_args__ = (
        CheckConstraint("applied = (applied_date IS NOT NULL)", name="applied_has_date"),
        CheckConstraint(
            "received_score >= 0 AND received_score <= CASE WHEN score > 0 THEN score ELSE 0 END",
            name="received_within_score",
        ),
        CheckConstraint("received_score = 0 OR applied", name="received_when_applied"),
        CheckConstraint("balance >= 0", name="balance_not_negative"),
        CheckConstraint("reverses_id <> id", name="reverses_another"),
        Index(None, "enrolled_degree_course_id", "purse", "id"),
        Index(None, "purse", "date"),
        Index(
            "ix_score_record_received",
            "applied_date",
            sqlite_where=text("received_score > 0"),
            postgresql_where=text("received_score > 0"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    score_rule_id: Mapped[int] = mapped_column(key("score_rule.id"), index=True)
    purse: Mapped[Purse] = mapped_column(EnumNumber(Purse))
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)  # who earns or loses
    enrolled_degree_course_id: Mapped[int] = mapped_column(key("enrolled_degree_course.id"))
    event: Mapped[str] = mapped_column(String(128), unique=True)  # its cause, which is booked once for ever
    # the evidence
    homework_record_id: Mapped[int | None] = mapped_column(key("homework_record.id"), index=True)
    homework_submission_id: Mapped[int | None] = mapped_column(key("homework_submission.id"), index=True)
    question_id: Mapped[int | None] = mapped_column(key("question.id"), index=True)
    complaint_id: Mapped[int | None] = mapped_column(key("complaint.id"), index=True)
    reverses_id: Mapped[int | None] = mapped_column(key("score_record.id"), unique=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # dates and figures of the cause
    score: Mapped[int]  # 贝里: what the purse gained (> 0) or lost (< 0)
    received_score: Mapped[int] = mapped_column(default=0)  # how much of it has reached the account's balance
    balance: Mapped[int] = mapped_column(default=0)  # of the purse after this row
    maturity_date: Mapped[date | None]
    applied: Mapped[bool] = mapped_column(default=False)  # a loss at once; a gain when it matures or moves on
    applied_date: Mapped[datetime | None] = mapped_column(Instant)
    date: Mapped[datetime] = mapped_column(Instant, default=now)
    memo: Mapped[str | None] = mapped_column(String(255))  # in Chinese, from the catalogue of texts

    rule: Mapped[ScoreRule] = relationship()


class Appeal(Model):
    """申诉: a mentor against a penalty, decided by staff. While it waits, nothing of that purse is paid out."""

    __tablename__ = "appeal"
    __table_args__ = (CheckConstraint("(state = 0) = (decided_time IS NULL)", name="decided_has_time"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    score_record_id: Mapped[int] = mapped_column(key("score_record.id"), unique=True)
    account_id: Mapped[int] = mapped_column(key("account.id"), index=True)
    content: Mapped[str] = mapped_column(Text)
    state: Mapped[ComplaintState] = mapped_column(
        EnumNumber(ComplaintState), default=ComplaintState.WAITING, index=True
    )
    handler_id: Mapped[int | None] = mapped_column(key("account.id"), index=True)
    decision: Mapped[str] = mapped_column(String(255), default="")
    date: Mapped[datetime] = mapped_column(Instant, default=now)
    decided_time: Mapped[datetime | None] = mapped_column(Instant)

    score_record: Mapped[ScoreRecord] = relationship()


def _allow_only_the_choices() -> None:
    """A number outside its choices is refused by the database too (B43)."""
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, EnumNumber):
                numbers = ", ".join(str(int(choice)) for choice in column.type.choices)
                table.append_constraint(
                    CheckConstraint(f'"{column.name}" IN ({numbers})', name=f"{column.name}_choice")
                )


_allow_only_the_choices()
