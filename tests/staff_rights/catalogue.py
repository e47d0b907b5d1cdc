"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = """
GET  /staff/catalogue                                    login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/catalogue.csv                                login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/catalogue.yaml                               login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/catalogue/categories                         login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/catalogue/teachers                           login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/catalogue/products/<product_id>              login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/catalogue/products/<product_id>.yaml         login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/catalogue/products/<product_id>/preview      login 403 403 403 403 403  ok  403 ok  ok  403
POST /staff/catalogue/products/<product_id>/publication  login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/catalogue/sale                               login 403 403 403 403 403  ok  403 403 403 403
POST /staff/catalogue/sale                               login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/catalogue/<kind>/new                         login 403 403 403 403 403  ok  403 403 403 403
POST /staff/catalogue/<kind>/new                         login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/catalogue/<kind>/<item_id>                   login 403 403 403 403 403  ok  403 ok  ok  403
POST /staff/catalogue/<kind>/<item_id>                   login 403 403 403 403 403  ok  403 403 403 403
POST /staff/catalogue/<kind>/<item_id>/move              login 403 403 403 403 403  ok  403 403 403 403
POST /staff/catalogue/<kind>/<item_id>/delete            login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/catalogue/import                             login 403 403 403 403 403  ok  403 403 403 403
POST /staff/catalogue/import                             login 403 403 403 403 403  ok  403 403 403 403
POST /staff/catalogue/import/application                 login 403 403 403 403 403  ok  403 403 403 403
"""

CHANGING = {
    f"POST /staff/catalogue/{rest}"
    for rest in (
        "products/<product_id>/publication",
        "sale",
        "<kind>/new",
        "<kind>/<item_id>",
        "<kind>/<item_id>/move",
        "<kind>/<item_id>/delete",
    )
}


def stage(world: World) -> None:
    """A draft that lacks nothing, a course on sale, and categories to change, move and delete."""
    from shop.enums import ProductStatus, SectionType
    from shop.models import CourseCategory
    from tests.builders import a_course
    from tests.purchases import saved

    draft = a_course(status=ProductStatus.OFF_SALE, published_time=None)
    for section in draft.chapters[0].sections:
        section.section_type = SectionType.DOCUMENT
    world.places["draft"], world.places["course for sale"] = saved(draft).id, a_course().id
    for name in ("changed category", "moved category", "deleted category"):
        world.places[name] = saved(CourseCategory(name=name, order=9)).id


def places(world: World) -> dict[str, Any]:
    of, home = world.places, "/staff/catalogue"
    product, part = f"{home}/products/<product_id>", f"{home}/<kind>/<item_id>"
    return {
        f"{product} product_id": of["draft"],
        f"{product}.yaml product_id": of["draft"],
        f"{product}/preview product_id": of["draft"],
        f"{product}/publication product_id": of["draft"],
        "kind": "categories",
        "item_id": of["changed category"],
        f"{part}/move item_id": of["moved category"],
        f"{part}/delete item_id": of["deleted category"],
    }


def fields(world: World) -> dict[str, dict[str, Any]]:
    """With the marks of the versions that their pages would show."""
    from shop.enums import ProductStatus
    from shop.extensions import db
    from shop.services.staff import catalogue_sale, catalogue_sheet
    from shop.services.staff.catalogue_kinds import mark_of

    db.session.rollback()
    course, home = world.places["course for sale"], "/staff/catalogue"
    return {
        f"{home}/products/<product_id>/publication": {
            "to": 0,
            "mark": catalogue_sheet.sheet(world.places["draft"]).mark,
        },
        f"{home}/sale": {
            "product": course,
            "to": 1,
            "mark": catalogue_sale.plan([course], ProductStatus.OFF_SALE).mark,
        },
        f"{home}/<kind>/new": {"name": "another category"},
        f"{home}/<kind>/<item_id>": {"name": "so", "mark": mark_of({"name": "changed category"})},
        f"{home}/<kind>/<item_id>/move": {"up": 1},
        f"{home}/import/application": {"token": "x"},
    }
