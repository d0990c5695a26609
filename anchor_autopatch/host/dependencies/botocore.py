"""botocore: operations of all services; one of Bedrock's is a provider call, and told as that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host.dependencies import watching

if TYPE_CHECKING:
    from anchor_autopatch.host.dependencies.judging import Verdict


class AWS(watching.Library):
    """Any service, by the address that its client sends to.

    Args:
        name: Of the library: botocore or its asynchronous twin.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def address(self, owner: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> str | None:
        """host[:port] of the service's endpoint."""
        from anchor_autopatch.host.capture.sites import host_of

        return host_of(owner.meta.endpoint_url)

    def judge(self, _owner: Any, links: Sequence[BaseException]) -> Verdict | None:
        """As `judging.of_aws`."""
        from anchor_autopatch.host.dependencies import judging

        return judging.of_aws(links)
