import logging

import pytest

from spcompile.ir.quiet import quiet


def test_warnings_are_not_heard_and_the_level_comes_back(caplog):
    logger = logging.getLogger("somebody.elses")
    logger.setLevel(logging.INFO)
    with quiet(logger):
        logger.getChild("part").warning("nobody asked")
    assert not caplog.records
    with pytest.raises(ValueError, match="wrong"), quiet(logger):
        raise ValueError("wrong")
    assert logger.level == logging.INFO
