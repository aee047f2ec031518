"""Entity tags: ``ETag`` on what is answered, ``If-Match`` on what is changed."""

from typing import Annotated, TypeVar

from litestar import Response
from litestar.params import HeaderParameter

from nhip.services.workspace.revisions import Revised, tag_of

Content = TypeVar("Content")

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=500,
        description="The `ETag` that was read; 412 when it is not the newest any more",
    ),
]


def tagged(content: Content, stored: Revised, *, created: str | None = None) -> Response[Content]:
    """An answer with its entity tag; ``created`` is where a new resource is, and makes it a 201."""
    headers = {"etag": tag_of(stored)}
    if created is not None:
        headers["location"] = created
    return Response(content, headers=headers, status_code=201 if created is not None else 200)
