"""``flask rules``: what each rule of rewards and penalties is worth, and how staff change it."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shop.enums import Rule, ScoreType
from shop.errors import NotYourTurn
from shop.services import rule_book
from shop.services.audit_log import Actor
from shop.wording import say

ACTOR = Actor("command line")
WHY_NOT = {
    "same": "it is worth that already.",
    "changed": "somebody else changed it at the same moment; look and try again.",
}

commands = AppGroup("rules", help="Rewards and penalties of degrees, in 贝里.")


@commands.command("list")
def list_rules() -> None:
    """Every rule that has an effect, with the version in force; 0: the value is kept elsewhere, or nothing happens."""
    for rule in rule_book.all_current():
        words = say(rule.rule.chinese, "en")
        click.echo(f"{rule.rule.name:<15} {rule.score_type.name:<8} {rule.score:>7}  v{rule.version}  {words}")


@commands.command("set")
@click.argument("rule", type=click.Choice([rule.name for rule in Rule], case_sensitive=False))
@click.argument("kind", type=click.Choice([kind.name for kind in ScoreType], case_sensitive=False))
@click.argument("score", type=click.IntRange(0, rule_book.MOST))
@click.option("--reason", required=True, help="Why; kept with the new version.")
def set_rule(rule: str, kind: str, score: int, reason: str) -> None:
    """Let RULE be worth SCORE from now on, as a new version; what was booked stays as it was."""
    try:
        made = rule_book.change(Rule[rule.upper()], ScoreType[kind.upper()], score, actor=ACTOR, reason=reason)
    except KeyError:
        raise click.ClickException(f"{rule.upper()} has no {kind.lower()}: see `flask rules list`.") from None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--reason") from error
    except NotYourTurn as error:
        raise click.ClickException(WHY_NOT[str(error.facts["why"])]) from error
    click.echo(f"{made.rule.name} {made.score_type.name}: {made.score} from now on (v{made.version}).")
