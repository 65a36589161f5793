"""The type checker of the tests: beartype, where an int is a good float, as PEP 484 says and YAML writes."""

from beartype import BeartypeConf, beartype

typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
