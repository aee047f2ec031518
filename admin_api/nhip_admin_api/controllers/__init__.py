"""The resources: one controller each. Whoever adds one adds it to ``CONTROLLERS``."""

from litestar import Controller

from nhip_admin_api.controllers.events import EventsController

CONTROLLERS: list[type[Controller]] = [
    EventsController,
]
