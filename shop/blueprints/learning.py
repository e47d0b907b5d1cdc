"""我的学习: what one has bought, its lessons, and the free-trial lessons that are open to all."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop import clock
from shop.enums import Role, VisitStep
from shop.extensions import login_manager, settings
from shop.services import learning, visits
from shop.services.learning import NoAccess
from shop.web import markdown
from shop.web.video import playable

bp = Blueprint("learning", __name__, url_prefix="/learning")


@bp.get("")
@login_required
def index() -> str:
    today = clock.local_date(clock.now())
    return render_template("learning/index.html", view=learning.index(current_user.id, today))


@bp.get("/courses/<int(min=1, max=2147483647):product_id>")
@login_required
def course(product_id: int) -> str:
    view = learning.course(current_user.id, product_id, clock.local_date(clock.now()))
    _note_study()
    return render_template("learning/course.html", view=view)


@bp.get("/sections/<int(min=1, max=2147483647):section_id>")
def section(section_id: int) -> str:
    view = learning.lesson(current_user.id, section_id, clock.local_date(clock.now()))
    if view.owned:
        _note_study()
    return render_template(
        "learning/section.html",
        view=view,
        text=markdown.to_html(view.content),
        video=playable(view.video_link, settings().media_origins),
    )


def _note_study() -> None:
    """A mentor who looks at what a student reads does not study."""
    if current_user.role is Role.STUDENT:
        visits.note(VisitStep.LEARNING, f"a{current_user.id}")


@bp.errorhandler(NoAccess)
def no_access(error: NoAccess) -> Response | tuple[str, int]:
    """A visitor may own it and is asked to log in; whoever is logged in does not, and is shown where it is sold."""
    if not current_user.is_authenticated:
        return login_manager.unauthorized()
    return render_template("learning/no_access.html", error=error), 403
