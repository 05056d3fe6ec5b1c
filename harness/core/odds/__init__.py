"""What the safety net would do: beforehand (`predict`), and with other settings (`whatif`). Pure.

`setting.py` is what is asked, `outlook.py` what comes out. `exact.py` computes it where there is a formula, and
`simulate.py` plays it where there is none; the README says which is when.
"""
