"""Claims of others, with what the data says of them."""

from perfcast.studies.statistics.claims import Claim, claims_table

CLAIMS = (
    Claim("Device_0 uses more time.", "contradicted", "94.5 against 416.7 ms"),
    Claim("Batch has no influence.", "open", "p = 0.3"),
)


def test_each_claim_is_a_row_with_its_verdict_and_evidence():
    table = claims_table(CLAIMS)
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["Device_0 uses more time.", "contradicted", "94.5 against 416.7 ms"],
        ["Batch has no influence.", "open", "p = 0.3"],
    ]
    assert len({row.mark for row in table.rows}) == 2
    assert claims_table(()).empty == "No claim was tested."


def test_a_claim_is_a_line_of_a_summary():
    assert str(CLAIMS[0]) == "contradicted: Device_0 uses more time (94.5 against 416.7 ms)"
