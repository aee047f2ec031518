"""The stores of what admins write: channels, templates, workflows."""

from collections.abc import Sequence
from typing import Protocol

from nhip.domain.authored import StandingRuns, StoredChannel, StoredTemplate, StoredVersion, StoredWorkflow
from nhip.engine.definitions.program import ProgramNode


class ChannelStore(Protocol):
    """Channel accounts, as admins keep them."""

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredChannel | None:
        """``lock`` holds the row until the unit ends."""
        ...

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredChannel]:
        """By name, after a name."""
        ...

    def insert(self, channel: StoredChannel) -> None:
        """Store a new account."""
        ...

    def update(self, channel: StoredChannel) -> None:
        """The caller holds the row."""
        ...

    def delete(self, workspace_id: int, name: str) -> None:
        """Remove an account."""
        ...

    def end_renewal(self, workspace_id: int, name: str) -> None:
        """A renewal of the secrets that is under way may not be stored any more: a person set others."""
        ...


class TemplateStore(Protocol):
    """Templates, as admins keep them."""

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredTemplate | None:
        """``lock`` holds the row until the unit ends."""
        ...

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredTemplate]:
        """By name, after a name."""
        ...

    def insert(self, template: StoredTemplate) -> None:
        """Store a new template."""
        ...

    def update(self, template: StoredTemplate) -> None:
        """The caller holds the row."""
        ...

    def delete(self, workspace_id: int, name: str) -> None:
        """Remove a template."""
        ...


class WorkflowStore(Protocol):
    """Workflows, as admins keep them."""

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredWorkflow | None:
        """``lock`` holds the row until the unit ends."""
        ...

    def page(self, workspace_id: int, state: str | None, after: str | None, limit: int) -> Sequence[StoredWorkflow]:
        """By name, after a name."""
        ...

    def insert(self, workflow: StoredWorkflow) -> None:
        """Store a new workflow's draft."""
        ...

    def update(self, workflow: StoredWorkflow) -> None:
        """The caller holds the row."""
        ...

    def delete(self, workspace_id: int, name: str) -> None:
        """Remove a workflow that was never published."""
        ...

    def raise_publish_version(self, workspace_id: int) -> int:
        """One more than it was. It holds the workspace's row, so publishes of one workspace go one after the other."""
        ...

    def insert_version(self, version: StoredVersion) -> None:
        """Store an immutable version."""
        ...

    def last_number(self, workspace_id: int, workflow: str) -> int:
        """The newest version's number, or 0."""
        ...

    def version(self, workspace_id: int, workflow: str, number: int) -> StoredVersion | None:
        """One version by its number."""
        ...

    def versions(self, workspace_id: int, workflow: str, before: int | None, limit: int) -> Sequence[StoredVersion]:
        """The newest first."""
        ...

    def open_activation(self, workspace_id: int, workflow: str, version_id: str, now: int) -> None:
        """From now on this version may start runs."""
        ...

    def close_activations(self, workspace_id: int, workflow: str, now: int) -> None:
        """From now on none may."""
        ...

    def standing(self, workspace_id: int, workflow: str) -> Sequence[StandingRuns]:
        """On which steps of which versions runs stand."""
        ...

    def move_standing(
        self,
        workspace_id: int,
        workflow: str,
        old: StoredVersion,
        step: str,
        new: StoredVersion,
        node: ProgramNode | None,
        awaits: str | None,
    ) -> int:
        """Let the runs that stand on a step of one version stand on a node of another one; without a node, those that
        are queued. Answers how many runs that were.
        """
        ...

    def end_standing(self, workspace_id: int, workflow: str, version_id: str, step: str, reason: str, now: int) -> int:
        """End the runs that stand on a step of a version, or that are queued where no step is named; answers how
        many.
        """
        ...

    def versions_in_use(self, workspace_id: int) -> Sequence[str]:
        """The ids of the versions that are published and not put away, or that runs stand on."""
        ...

    def cancel_runs(self, workspace_id: int, workflow: str, reason: str, now: int) -> int:
        """End every run of a workflow that is under way; answers how many."""
        ...

    def seen_types(self, workspace_id: int, types: Sequence[str]) -> set[str]:
        """Of these event types, those of which an event is stored."""
        ...
