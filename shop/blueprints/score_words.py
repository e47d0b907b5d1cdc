"""A score record in words: by which rule, about what; for the statements and their downloads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from flask_babel import get_locale
from flask_babel import gettext as _

from shop import clock, wording
from shop.enums import ComplaintState, Month, Rule, Score, ScoreType
from shop.services.score_rows import Evidence, Line
from shop.web.filters import localdate, localtime


def rule(line: Line) -> str:
    """By which rule: "未及时批改作业 · 惩罚". What is left of a purse when it ends is neither earned nor fined."""
    if line.evidence.undoes_time is not None:
        return _("%(rule)s · 撤销", rule=line.rule.label)
    if line.kind is ScoreType.PENALTY and line.rule in (Rule.MENTOR, Rule.SCHOLARSHIP):
        return line.rule.label
    if line.kind is ScoreType.REWARD and line.rule is Rule.LATE_HOMEWORK:
        return _("按时交作业 · 奖励")  # the source names the rule for what it punishes
    return f"{line.rule.label} · {line.kind.label}"


def about(line: Line) -> list[str]:
    """What the row rests on, in short parts. Of a complaint only that there was one (``shop.rules.discretion``)."""
    memo = _memo(line.evidence)
    parts = [memo] if memo else []
    if line.evidence.undoes_time is not None:
        parts.append(
            _(
                "撤销 %(day)s 的 %(beli)s 贝里",
                day=localdate(line.evidence.undoes_time),
                beli=line.evidence.undoes_score,
            )
        )
    if line.rule is not Rule.COMPLAINT:
        parts += _evidence(line.evidence)
    return parts


def appeal(line: Line) -> str:
    """How an appeal against it stands, "" without one."""
    says = {
        None: "",
        ComplaintState.WAITING: _("申诉处理中"),
        ComplaintState.UPHELD: _("申诉成立"),
        ComplaintState.DISMISSED: _("申诉不成立"),
    }
    return says[line.appeal]


def month(first_day: date) -> str:
    """ "2026年11月" or "Nov 2026"."""
    return _("%(year)s年%(month)s", year=first_day.year, month=Month(first_day.month).label)


def _memo(evidence: Evidence) -> str:
    language = "en" if str(get_locale()) == "en" else "zh"
    try:
        return wording.say(evidence.memo, language, dict(evidence.facts)) if evidence.memo else ""
    except (KeyError, TypeError, ValueError):  # a text of staff's own, with a percent sign in it
        return evidence.memo


def _evidence(evidence: Evidence) -> Iterator[str]:
    facts = evidence.facts
    title = evidence.homework or facts.get("homework")
    if title:
        yield _("作业「%(title)s」", title=title)
    question = evidence.question or facts.get("question")
    if question:
        yield _("问题「%(title)s」", title=question)
    if isinstance(facts.get("score"), int):
        yield _("成绩 %(score)s", score=Score(facts["score"]).label)
    if isinstance(facts.get("days"), int):
        yield _("用 %(days)s 天毕业，推荐 %(period)s 天", days=facts["days"], period=facts.get("period"))
    if isinstance(facts.get("percent"), int):
        yield _("达到 %(percent)s%% 一档", percent=facts["percent"])
    yield from _moments(evidence)


def _moments(evidence: Evidence) -> Iterator[str]:
    facts = evidence.facts
    if "due_date" in facts:
        yield _("应在 %(day)s 前交", day=_shown(facts["due_date"]))
    if evidence.handed_in_time is not None:
        yield _("首次提交 %(when)s", when=localtime(evidence.handed_in_time))
    elif "handed_in_date" in facts:
        yield _("首次提交 %(when)s", when=_shown(facts["handed_in_date"]))
    if evidence.asked_time is not None:
        yield _("提问于 %(when)s", when=localtime(evidence.asked_time))
    if "due_time" in facts:
        yield _("期限 %(when)s", when=_shown(facts["due_time"]))


def _shown(fact: Any) -> str:
    """A day or an instant as facts keep it; what is neither, as it is."""
    text = str(fact)
    try:
        return localdate(date.fromisoformat(text)) if len(text) == len("2026-11-30") else _instant(text)
    except ValueError:
        return text


def _instant(text: str) -> str:
    instant = datetime.fromisoformat(text)
    return localtime(instant if instant.tzinfo else instant.replace(tzinfo=clock.SHANGHAI))
