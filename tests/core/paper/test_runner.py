import pytest

from packnet_core.errors import FileError
from packnet_core.paper import runner


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a":"\xff"}', b"[" * 10_000])
def test_a_result_that_can_t_be_read_is_named(tmp_path, content):
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "a.json").write_bytes(content)
    with pytest.raises(FileError, match=r"a\.json can't be read"):
        runner.read_results(tmp_path)
