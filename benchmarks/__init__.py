"""Time, memory and accuracy of NPL's losses beside torch's: `python -m benchmarks --help`.

`cases` is the table of what is measured, a row per loss; `contestants` are those who compute it, `timing`,
`memory` and `accuracy` what is measured of them, and `report` how it is shown.
"""
