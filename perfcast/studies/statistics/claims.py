"""Claims that others made, and what the data at hand says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from perfcast.pages import Table, text_row
from perfcast.pages.tables import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdict = Literal["confirmed", "contradicted", "confounded", "open"]

_MARKS = {"confirmed": "", "contradicted": "bad", "confounded": "warn", "open": "muted"}


@dataclass(frozen=True)
class Claim:
    """A claim and its test.

    Attributes:
        statement: what was claimed, one sentence.
        verdict: `confounded` where another factor that varies along explains the data as well, `open` where the data
            cannot decide.
        evidence: the number and the test that the verdict rests on.
    """

    statement: str
    verdict: Verdict
    evidence: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.statement.rstrip('.')} ({self.evidence.rstrip('.')})"


def claims_table(claims: Sequence[Claim], caption: str = "Claims, and what this data says of them") -> Table:
    """Return one row per claim: contradicted and confounded ones are set apart."""
    rows = (text_row(claim.statement, claim.verdict, claim.evidence, mark=_MARKS[claim.verdict]) for claim in claims)
    columns = (*texts("Claim", wide=True), *texts("Verdict"), *texts("Evidence", wide=True))
    return Table(caption, columns, tuple(rows), empty="No claim was tested.")
