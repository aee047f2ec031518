"""The resources: one controller each. Whoever adds one adds it to ``CONTROLLERS``."""

from litestar import Controller

from nhip_admin_api.controllers.access import ApiKeysController, AuditController, WorkspacesController
from nhip_admin_api.controllers.calendar import CalendarController
from nhip_admin_api.controllers.channels import ChannelsController
from nhip_admin_api.controllers.contacts import ContactsController
from nhip_admin_api.controllers.deliveries import DeliveriesController
from nhip_admin_api.controllers.enrollments import EnrollmentsController
from nhip_admin_api.controllers.events import EventsController
from nhip_admin_api.controllers.hooks import HooksController
from nhip_admin_api.controllers.metrics import MetricsController
from nhip_admin_api.controllers.operations import OperationsController
from nhip_admin_api.controllers.plugins import PluginsController
from nhip_admin_api.controllers.ratings import RatingsController
from nhip_admin_api.controllers.records import RecordsController
from nhip_admin_api.controllers.runs import RunsController
from nhip_admin_api.controllers.scores import ContactScoreController, ScoreRulesController
from nhip_admin_api.controllers.segments import SegmentsController
from nhip_admin_api.controllers.source_hooks import SourceHooksController
from nhip_admin_api.controllers.sources import SourcePresetsController, SourcesController
from nhip_admin_api.controllers.staff import AccountsController, StaffController
from nhip_admin_api.controllers.taxonomies import TaxonomiesController
from nhip_admin_api.controllers.telesales import TelesalesController
from nhip_admin_api.controllers.telesales_entries import TelesalesEntriesController
from nhip_admin_api.controllers.templates import TemplatesController
from nhip_admin_api.controllers.voice import VoiceController
from nhip_admin_api.controllers.workflows import WorkflowsController

CONTROLLERS: list[type[Controller]] = [
    AccountsController,
    ApiKeysController,
    AuditController,
    CalendarController,
    ContactsController,
    EventsController,
    OperationsController,
    PluginsController,
    RecordsController,
    SegmentsController,
    StaffController,
    WorkspacesController,
    ChannelsController,
    DeliveriesController,
    EnrollmentsController,
    HooksController,
    MetricsController,
    RatingsController,
    RunsController,
    SourceHooksController,
    SourcePresetsController,
    SourcesController,
    ContactScoreController,
    ScoreRulesController,
    TelesalesController,
    TelesalesEntriesController,
    TaxonomiesController,
    TemplatesController,
    VoiceController,
    WorkflowsController,
]
