"""What catalogue pages show, as frozen values without a row behind them."""

from __future__ import annotations

from dataclasses import dataclass

from shop.enums import Level, ProductKind, ProductStatus, SectionType
from shop.services.offers import Offer


@dataclass(frozen=True, slots=True)
class Category:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class CourseCard:
    id: int
    name: str
    brief: str
    level: Level
    category: Category
    status: ProductStatus
    from_fen: int | None  # the lowest of its plans; None without any


@dataclass(frozen=True, slots=True)
class DegreeCard:
    id: int
    name: str
    brief: str
    months: int  # recommended study, rounded up
    modules: int
    scholarship: int  # 贝里
    from_fen: int | None


@dataclass(frozen=True, slots=True)
class CategoryShelf:
    category: Category
    courses: tuple[CourseCard, ...]


@dataclass(frozen=True, slots=True)
class HomeView:
    degrees: tuple[DegreeCard, ...]
    shelves: tuple[CategoryShelf, ...]
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a course list is asked for; None and "" ask for nothing."""

    category: int | None = None
    level: Level | None = None
    q: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class ListView:
    categories: tuple[Category, ...]
    category: Category | None
    courses: tuple[CourseCard, ...]
    degrees: tuple[DegreeCard, ...]  # those that the search finds, on its first page
    total: int
    pages: int


@dataclass(frozen=True, slots=True)
class Plan:
    id: int
    label: str
    days: int
    price_fen: int

    @property
    def per_day_fen(self) -> int:
        """Price per day, rounded up to a fen: a plan is never shown cheaper than it is."""
        return -(-self.price_fen // self.days)


@dataclass(frozen=True, slots=True)
class Lesson:
    id: int
    name: str
    kind: SectionType
    length: str  # of a video, as 12:30; "" otherwise
    is_free: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    number: int
    name: str
    summary: str
    lessons: tuple[Lesson, ...]


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    title: str
    signature: str
    brief: str
    is_mentor: bool


@dataclass(frozen=True, slots=True)
class Text:
    """A headed paragraph: a part of the outline, or a question and its answer."""

    title: str
    content: str


@dataclass(frozen=True, slots=True)
class ProductView:
    """What course and degree pages have in common."""

    id: int
    name: str
    brief: str
    status: ProductStatus
    plans: tuple[Plan, ...]
    people: tuple[Person, ...]
    questions: tuple[Text, ...]
    offers: tuple[Offer, ...]

    @property
    def is_for_sale(self) -> bool:
        return self.status is ProductStatus.ON_SALE and bool(self.plans)

    @property
    def cheapest(self) -> Plan | None:
        return min(self.plans, key=lambda plan: plan.price_fen, default=None)


@dataclass(frozen=True, slots=True)
class CourseView(ProductView):
    category: Category
    level: Level
    is_vip: bool
    days: int  # recommended study
    hours: int
    slogan: str
    why_study: str
    what_to_study: str
    career: str
    prerequisite: str
    outline: tuple[Text, ...]
    chapters: tuple[Chapter, ...]
    recommended: tuple[CourseCard, ...]


@dataclass(frozen=True, slots=True)
class Module:
    id: int
    name: str
    brief: str
    days: int
    homework: int
    scholarship: int  # 贝里 that its homework can earn
    chapters: tuple[Chapter, ...]


@dataclass(frozen=True, slots=True)
class Tier:
    """Finish within so many days, earn so many 贝里."""

    percent: int
    days: int
    beli: int


@dataclass(frozen=True, slots=True)
class DegreeView(ProductView):
    days: int
    months: int
    scholarship: int
    prerequisite: str
    modules: tuple[Module, ...]
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class CoverData:
    """What a cover is drawn from; a degree has category 0 and the highest level."""

    kind: ProductKind
    name: str
    category_id: int
    level: Level
    is_draft: bool
