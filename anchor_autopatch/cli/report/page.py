"""`anchor report --html`: the report as one static page, without a script or anything remote."""

from __future__ import annotations

from html import escape
from string import Template
from typing import TYPE_CHECKING

from anchor_autopatch.cli.amounts import estimate, money

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anchor_autopatch.job.allocation.split import Bill, Share, Split

# Names come from whoever sets a header: the policy of the page keeps scripts from running even if
# one were not escaped. Templates, since in f-strings every brace of the style would be doubled.
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
section { overflow-x: auto; }
h1, h2 { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3rem .6rem; text-align: left; border-bottom: 1px solid #8884;
         white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.proof { font-weight: 600; }
.badge { border: 1px solid; border-radius: .6rem; padding: 0 .5rem; font-size: .8rem; }
</style>
<h1>$title</h1>
<p>Published $published UTC. <span class="badge">est</span> by rate card,
<span class="badge">anchored</span> share of the invoice,
<span class="badge">frozen</span> closed.</p>
$bills
</html>
""")
_BILL = Template("""<section>
<h2>$title</h2>
<table>
<thead><tr><th>Team<th>Service<th>Environment<th>Model<th class="number">Calls
<th class="number">Estimated USD<th class="number">Anchored $currency<th>Status</tr></thead>
<tbody>
$rows
</tbody>
</table>
<p class="proof">$proof</p>
</section>""")
_ROW = Template(
    "<tr><td>$team<td>$service<td>$environment<td>$model"
    '<td class="number">$calls<td class="number">$estimated<td class="number">$anchored'
    '<td><span class="badge">$badge</span></tr>'
)


def render(split: Split, titles: Iterable[tuple[Bill, str, str]], badges: dict[str, str]) -> str:
    """The page; `titles` gives each bill its heading and the sentence that proves its sum."""
    name = f"AI cost split {split.period}" if split.period else "AI cost split: no receipts yet"
    return _PAGE.substitute(
        title=escape(name),
        published=f"{split.published_at:%Y-%m-%d %H:%M}",
        bills="\n".join(_bill(bill, title, proof, badges) for bill, title, proof in titles),
    )


def _bill(bill: Bill, title: str, proof: str, badges: dict[str, str]) -> str:
    return _BILL.substitute(
        title=escape(title),
        currency=escape(bill.currency),
        rows="\n".join(_row(share, bill.currency, badges) for share in bill.shares),
        proof=escape(proof.strip()),
    )


def _row(share: Share, currency: str, badges: dict[str, str]) -> str:
    return _ROW.substitute(
        team=_text(share.team),
        service=_text(share.service),
        environment=_text(share.environment),
        model=_text(share.response_model),
        calls=f"{share.calls:,}",
        estimated=_text(estimate(share.estimated_cost_usd)),
        anchored=_text(money(share.anchored_cost, currency)),
        badge=_text(badges.get(share.status, share.status)),
    )


def _text(value: str | None) -> str:
    return "&ndash;" if value is None else escape(value)
