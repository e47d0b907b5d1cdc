"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

STUDY = "/staff/studies/<enrolment_id>"
HAND_IN = f"{STUDY}/hand-ins/<submission_id>"

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = f"""
GET  /staff/studies                                      login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/studies.csv                                  login 403 403 403 403 403  403 ok  403 403 403
GET  {STUDY}                                             login 403 403 403 403 403  403 ok  403 403 403
POST {STUDY}/form/reading                                login 403 403 403 403 403  403 ok  403 403 403
POST {STUDY}/person                                      login 403 403 403 403 403  403 ok  403 403 403
POST {STUDY}/form/reopening                              login 403 403 403 403 403  403 ok  403 403 403
POST {STUDY}/leave                                       login 403 403 403 403 403  403 ok  403 403 403
POST {STUDY}/leave/return                                login 403 403 403 403 403  403 ok  403 403 403
POST {STUDY}/modules/<module_id>/opening                 login 403 403 403 403 403  403 ok  403 403 403
POST {STUDY}/modules/<module_id>/passing                 login 403 403 403 403 403  403 ok  403 403 403
GET  {STUDY}/mentor                                      login 403 403 403 403 403  403 ok  403 403 403
POST {STUDY}/mentor                                      login 403 403 403 403 403  403 ok  403 403 403
GET  {HAND_IN}                                           login 403 403 403 403 403  403 ok  403 403 403
GET  {HAND_IN}/files/<upload_id>                         login 403 403 403 403 403  403 ok  403 403 403
POST {HAND_IN}/mark                                      login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/mentors                                      login 403 403 403 403 403  403 ok  ok  403 403
GET  /staff/mentors.csv                                  login 403 403 403 403 403  403 ok  ok  403 403
GET  /staff/mentors/<mentor_id>                          login 403 403 403 403 403  403 ok  ok  403 403
GET  /staff/mentors/<mentor_id>/statement.csv            login 403 403 403 403 403  403 ok  ok  403 403
GET  /staff/complaints                                   login 403 403 403 403 403  403 ok  403 ok  403
GET  /staff/complaints.csv                               login 403 403 403 403 403  403 ok  403 ok  403
GET  /staff/complaints/<complaint_id>                    login 403 403 403 403 403  403 ok  403 ok  403
POST /staff/complaints/<complaint_id>/upholding          login 403 403 403 403 403  403 ok  403 403 403
POST /staff/complaints/<complaint_id>/dismissal          login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/appeals                                      login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/appeals.csv                                  login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/appeals/<appeal_id>                          login 403 403 403 403 403  403 ok  403 403 403
POST /staff/appeals/<appeal_id>/upholding                login 403 403 403 403 403  403 ok  403 403 403
POST /staff/appeals/<appeal_id>/dismissal                login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/rules                                        login 403 403 403 403 403  403 ok  403 403 403
POST /staff/rules                                        login 403 403 403 403 403  403 ok  403 403 403
"""

CHANGING = {line.split()[0] + " " + line.split()[1] for line in TABLE.splitlines() if line.startswith("POST")}


def stage(world: World) -> None:
    """Beside A's: a study under way, one without homework, each with a complaint and an appeal; and a form."""
    from shop import clock
    from shop.enums import Purse, Rule, Score
    from shop.extensions import db, unit_of_work
    from shop.models import Appeal, Complaint
    from shop.services import appeals, complaints, enrolled_degrees, modules, purses
    from shop.services.purses import Cause
    from tests.degrees import a_degree_with_homework, a_hand_in, a_registered, a_studying, fresh

    of, session = world.places, db.session()
    of["complaint"] = session.query(Complaint.id).order_by(Complaint.id).limit(1).scalar()
    of["appeal"] = session.query(Appeal.id).order_by(Appeal.id).limit(1).scalar()
    studies = {"run": a_studying(), "stuck": a_studying(course=a_degree_with_homework(homework=0))}
    for name, enrolment in studies.items():
        of[f"study {name}"] = enrolment.id
        of[f"complaint {name}"] = complaints.file(enrolment.account_id, enrolment.id, "a text that is long").id
        with unit_of_work() as session:
            locked = enrolled_degrees.lock(session, enrolment.id)
            fine = purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, Cause(f"of {name}"), clock.now())
            assert fine is not None
            mentor_id, fine_id = locked.mentor_id or 0, fine.id
        of[f"appeal {name}"] = appeals.file(mentor_id, fine_id, "a text that is long", clock.now()).id
    of["study waiting"] = a_registered().id
    of["module run"] = modules.in_order(db.session(), of["study run"])[1].course_module_id
    of["module stuck"] = modules.in_order(db.session(), of["study stuck"])[0].course_module_id
    of["mark"] = a_hand_in(fresh(studies["run"]), score=Score.A).id


def places(world: World) -> dict[str, Any]:
    """Forms, people and pages are A's; what changes for good is changed in a study of somebody else."""
    of = world.places
    return {
        **{f"{STUDY}/{step} enrolment_id": of["study run"] for step in ("form/reopening", "leave", "leave/return")},
        f"{STUDY}/modules/<module_id>/opening enrolment_id": of["study run"],
        f"{STUDY}/modules/<module_id>/passing enrolment_id": of["study stuck"],
        f"{STUDY}/modules/<module_id>/passing module_id": of["module stuck"],
        "module_id": of["module run"],
        f"{STUDY}/mentor enrolment_id": of["study waiting"],
        f"{HAND_IN}/mark enrolment_id": of["study run"],
        f"{HAND_IN}/mark submission_id": of["mark"],
        f"{HAND_IN}/files/<upload_id> upload_id": of["upload of homework"],
        "mentor_id": world.ids["M+"],
        "complaint_id": of["complaint"],
        "/staff/complaints/<complaint_id>/upholding complaint_id": of["complaint run"],
        "/staff/complaints/<complaint_id>/dismissal complaint_id": of["complaint stuck"],
        "appeal_id": of["appeal"],
        "/staff/appeals/<appeal_id>/upholding appeal_id": of["appeal run"],
        "/staff/appeals/<appeal_id>/dismissal appeal_id": of["appeal stuck"],
    }


def fields(world: World) -> dict[str, dict[str, Any]]:
    because = {"reason": "so"}
    steps = ("form/reading", "person", "form/reopening", "leave", "leave/return")
    return {
        **{f"{STUDY}/{step}": because for step in steps},
        **{f"{STUDY}/modules/<module_id>/{step}": because for step in ("opening", "passing")},
        f"{STUDY}/mentor": {"mentor": world.ids["M-"], "before": "0", **because},
        f"{HAND_IN}/mark": {"before": "90", "score": "80", "comment": "", **because},
        **{f"/staff/complaints/<complaint_id>/{step}": because for step in ("upholding", "dismissal")},
        **{f"/staff/appeals/<appeal_id>/{step}": because for step in ("upholding", "dismissal")},
        "/staff/rules": {"rule": "5", "kind": "1", "version": "1", "score": "300", **because},
    }
