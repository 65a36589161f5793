"""The lists of mutations follow the code: whoever changes a mutated line changes its entry."""

from __future__ import annotations

from mutants.run import ROOT, out_of_date, read_mutations


def test_every_entry_has_its_place_in_the_code_and_its_tests():
    mutations = read_mutations()
    # YAML keeps the last of two lists of one file, and says nothing.
    written = sum(path.read_text().count("\n  - {") for path in (ROOT / "tests/mutants").glob("*.yaml"))
    assert len(mutations) == written >= 150
    assert [str(mutation) for mutation in mutations if out_of_date(mutation)] == []
    tests = {test.split("::")[0] for mutation in mutations for test in mutation.tests.split() if test.endswith(".py")}
    assert [test for test in sorted(tests) if not (ROOT / test).is_file()] == []
