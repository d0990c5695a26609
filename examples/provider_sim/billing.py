"""The ledger row of one request, from its first byte to its last."""

from __future__ import annotations

from dataclasses import dataclass

from examples.provider_sim.answers import Answer, Bill
from examples.provider_sim.calls import Call
from examples.provider_sim.ledger import Charge
from examples.provider_sim.values import Json


@dataclass(slots=True)
class Billing:
    """Bills one call; a free answer (no bill) never reaches the ledger."""

    call: Call
    fault: str | None
    _row: int | None = None

    def charge(self, answer: Answer, *, delivered: bool) -> None:
        """Bill the whole answer at once."""
        if answer.bill:
            self._open(answer, answer.bill, answer.bill.usage, delivered=delivered)

    def begin(self, answer: Answer) -> None:
        """Bill the start of a stream: all input, no output yet."""
        if answer.bill:
            usage = answer.bill.usage_after(0, answer.chunks)
            self._open(answer, answer.bill, usage, delivered=False, partial=True)

    def complete(self, answer: Answer) -> None:
        """Settle a stream that runs to its end."""
        if answer.bill:
            self._settle(answer.bill, answer.bill.usage, delivered=True, partial=False)

    def break_off(self, answer: Answer, done: int) -> None:
        """Settle a stream that ended after `done` content chunks: what was generated is billed."""
        if answer.bill:
            usage = answer.bill.usage_after(done, answer.chunks)
            self._settle(answer.bill, usage, delivered=False, partial=done < answer.chunks)

    def undelivered(self) -> None:
        """Note that the client did not get the answer that was billed."""
        self._revise(delivered=False)

    def _settle(self, bill: Bill, usage: Json, *, delivered: bool, partial: bool) -> None:
        meters = bill.meters(usage)
        prices = self.call.state.prices
        amounts = prices.amounts(self.call.provider, bill.model, meters, bill.tier)
        self._revise(
            usage=usage, meters=meters, amounts=amounts, delivered=delivered, partial=partial
        )

    def _revise(self, **changes: object) -> None:
        if self._row is not None:
            with self.call.state.lock:
                self.call.ledger.revise(self._row, **changes)

    def _open(
        self, answer: Answer, bill: Bill, usage: Json, *, delivered: bool, partial: bool = False
    ) -> None:
        call, meters = self.call, bill.meters(usage)
        charge = Charge(
            at=call.at,
            provider=call.provider,
            operation=call.operation.name,
            path=call.path,
            requested_model=call.model,
            model=bill.model,
            service_tier=bill.tier,
            api_key_id=call.api_key_id,
            project=call.project,
            request_id=call.request_id,
            response_id=bill.response_id,
            stream=answer.frames is not None,
            usage=usage,
            meters=meters,
            amounts=call.state.prices.amounts(call.provider, bill.model, meters, bill.tier),
            delivered=delivered,
            partial=partial,
            fault=self.fault,
        )
        with call.state.lock:
            self._row = call.ledger.bill(charge)
