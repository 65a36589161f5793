"""The type checker of the tests: beartype, taking an int for a float as PEP 484 does (YAML writes 1 where 1.0 is meant)."""

from beartype import BeartypeConf, beartype

typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
