"""The local workspace as a context manager."""

from __future__ import annotations

import pathlib
import urllib.error
import urllib.request

import pytest

from adbc_driver_databricks import databricks_local


def test_it_lives_as_long_as_the_block():
    with databricks_local(scale_factor=0.001) as workspace:
        with workspace.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM samples.tpch.nation")
            assert cursor.fetchone() == (25,)
        assert workspace.token not in repr(workspace)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(workspace.url, timeout=5)


def test_files_become_tables(tmp_path: pathlib.Path):
    (tmp_path / "pets.csv").write_text("name,legs\ncat,4\nhen,2\n")
    with databricks_local(scale_factor=0.001, data=tmp_path) as workspace:
        with workspace.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT sum(legs) FROM main.data.pets")
            assert cursor.fetchone() == (6,)


def test_a_missing_program_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("DBSQL", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere.*DBSQL"), databricks_local():
        pass
    for name in ("DBSQL", "CARGO_TARGET_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="cargo build -p dbsql"), databricks_local():
        pass


def test_a_program_that_ends_is_an_error_with_its_words(tmp_path):
    program = tmp_path / "dbsql"
    program.write_text("#!/bin/sh\necho no workspace today\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(RuntimeError, match="ended with 3: no workspace today"), databricks_local(dbsql=program):
        pass


def test_the_five_lines_of_the_readme(capsys):
    page = (pathlib.Path(__file__).parent.parent / "README.md").read_text()
    _, _, rest = page.partition("<!-- local -->\n```python\n")
    lines, _, _ = rest.partition("```")
    exec(compile(lines, "README.md", "exec"), {})
    assert "BRAZIL" in capsys.readouterr().out
