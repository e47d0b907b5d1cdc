"""What a course, a module or a degree still lacks before it may be shown, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shop.enums import Choice, Gap, Oddity, ValidPeriod


@dataclass(frozen=True, slots=True)
class Lesson:
    name: str
    needs_link: bool
    has_link: bool
    has_text: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    name: str
    lessons: Sequence[Lesson]


@dataclass(frozen=True, slots=True)
class Facts:
    """A product as far as it matters here; modules are those of a degree."""

    name: str
    is_degree: bool
    is_module: bool
    is_sold: bool  # not to VIP members only
    plans: Sequence[tuple[ValidPeriod, int]]  # with their prices, from the shortest
    chapters: Sequence[Chapter]
    homework: Sequence[int]  # 贝里 of each that counts
    has_teachers: bool
    draft_degree: str = ""  # of a module: the name of its degree, while that is a draft
    modules: Sequence[Facts] = ()
    tiers: Sequence[int] = ()
    total_scholarship: int = 0


@dataclass(frozen=True, slots=True)
class Remark:
    kind: Choice
    name: str = ""

    @property
    def text(self) -> str:
        return self.kind.label % {"name": self.name}


def gaps(product: Facts) -> list[Remark]:
    """What has to be there before it is sold; nothing is complete."""
    if product.is_degree:
        return [*_degree_gaps(product)]
    if product.is_module:
        return [*_lesson_gaps(product)]
    found = [Remark(Gap.NO_PLAN)] if product.is_sold and not product.plans else []
    return [*found, *_lesson_gaps(product)]


def module_gaps(module: Facts) -> list[Remark]:
    """What keeps a module from being published by itself, behind what it lacks."""
    waits = [Remark(Gap.DRAFT_DEGREE, module.draft_degree)] if module.draft_degree else []
    return [*gaps(module), *waits]


def _degree_gaps(degree: Facts) -> Iterable[Remark]:
    if [period for period, _price in degree.plans] != [ValidPeriod.TWO_YEARS]:
        yield Remark(Gap.ONE_PLAN)
    if not degree.modules:
        yield Remark(Gap.NO_MODULE)
    elif not any(module.homework for module in degree.modules):
        yield Remark(Gap.NO_HOMEWORK)
    for module in degree.modules:
        yield from gaps(module)


def _lesson_gaps(product: Facts) -> Iterable[Remark]:
    if not product.chapters:
        yield Remark(Gap.NO_CHAPTER, product.name)
    for chapter in product.chapters:
        if not chapter.lessons:
            yield Remark(Gap.EMPTY_CHAPTER, chapter.name)
        for lesson in chapter.lessons:
            if lesson.needs_link and not lesson.has_link:
                yield Remark(Gap.NO_VIDEO, lesson.name)
            if not lesson.needs_link and not lesson.has_text:
                yield Remark(Gap.NO_TEXT, lesson.name)


def oddities(product: Facts) -> list[Remark]:
    """What looks like a slip and is told beside the gaps."""
    prices = [price for _period, price in product.plans]
    found = []
    if 0 in prices:
        found.append(Remark(Oddity.FREE))
    if prices != sorted(prices):
        found.append(Remark(Oddity.CHEAPER_LONGER))
    if not product.has_teachers:
        found.append(Remark(Oddity.NO_TEACHER))
    most = sum(sum(module.homework) for module in product.modules) + max(product.tiers, default=0)
    if product.is_degree and most > product.total_scholarship:
        found.append(Remark(Oddity.SCHOLARSHIP, str(most)))
    modules = [product] if product.is_module else product.modules
    found += [Remark(Oddity.MODULE_WITHOUT_HOMEWORK, module.name) for module in modules if not module.homework]
    return found
