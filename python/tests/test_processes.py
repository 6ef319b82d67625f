"""Forks, endings and unloading: what happens to the process around the driver."""

from __future__ import annotations

import pytest


def test_a_forked_child_starts_afresh_and_leaves_its_parent_alone(script):
    printed = script.run(
        """
        import gc, multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested

        connection = dbapi.connect(URI)
        cursor = connection.cursor()
        cursor.execute("SELECT * FROM samples.tpch.lineitem")
        first = cursor.fetchone()

        def child(answers):
            global connection, cursor
            try:
                connection.cursor().execute("SELECT 1")
                answers.put("the inherited connection worked")
            except dbapi.ProgrammingError as error:
                answers.put("fork" in str(error))
            try:
                cursor.fetchall()
                answers.put("the inherited result worked")
            except dbapi.ProgrammingError as error:
                answers.put("fork" in str(error))
            with dbapi.connect(URI) as own, own.cursor() as mine:
                mine.execute("SELECT count(*) FROM samples.tpch.nation")
                answers.put(mine.fetchone()[0])
            connection = cursor = None
            gc.collect()

        fork = multiprocessing.get_context("fork")
        answers = fork.SimpleQueue()
        process = fork.Process(target=child, args=(answers,))
        process.start()
        process.join(60)
        print(process.exitcode, answers.get(), answers.get(), answers.get())
        print(1 + len(cursor.fetchall()))
        cursor.execute("SELECT 2")
        print(cursor.fetchone()[0])
        cursor.close()
        connection.close()
        """
    )
    assert printed.split() == ["0", "True", "True", "25", "60175", "2"]


def test_a_pool_of_forked_workers(script):
    printed = script.run(
        """
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)

        def query(number):
            with dbapi.connect(URI) as connection, connection.cursor() as cursor:
                cursor.execute(f"SELECT {number}")
                return cursor.fetchone()[0]

        print(query(0))
        with multiprocessing.get_context("fork").Pool(4) as pool:
            print(sum(pool.map(query, range(16))))
        """
    )
    assert printed.split() == ["0", "120"]


@pytest.mark.parametrize("left_open", ["connection", "cursor", "result", "reader"])
def test_the_interpreter_ends_with_something_open(script, left_open):
    steps = {
        "connection": "",
        "cursor": "cursor = connection.cursor()",
        "result": "cursor = connection.cursor()\ncursor.execute(sql)\ncursor.fetchone()",
        "reader": "cursor = connection.cursor()\ncursor.execute(sql)\nreader = cursor.fetch_record_batch()\n"
        "reader.read_next_batch()",
    }
    program = "sql = 'SELECT * FROM samples.tpch.lineitem'\nconnection = dbapi.connect(URI)\n" + steps[left_open]
    assert script.run(program + "\nprint('end')") == "end\n"


def test_the_library_stays_when_it_is_unloaded(script):
    printed = script.run(
        """
        import ctypes, _ctypes
        from adbc_driver_databricks import driver_path

        with dbapi.connect(URI) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        library = ctypes.CDLL(driver_path())
        # Once for this handle, and again for the driver manager's.
        _ctypes.dlclose(library._handle)
        _ctypes.dlclose(library._handle)
        with dbapi.connect(URI) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 2")
            print(cursor.fetchone()[0])
        """
    )
    assert printed == "2\n"


def test_a_short_program_leaves_its_telemetry(script, cursor):
    session = script.run(
        """
        with dbapi.connect(URI) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()
            print(connection.adbc_connection.get_option("databricks.session_id"))
        """
    ).strip()
    cursor.execute("SELECT operation_type FROM system.telemetry.driver_log WHERE session_id = ?", (session,))
    operations = {row[0] for row in cursor.fetchall()}
    assert {"CREATE_SESSION", "EXECUTE_STATEMENT", "DELETE_SESSION"} <= operations


def test_a_refusal_leaves_none(script, cursor):
    script.environment["DATABRICKS_TELEMETRY_ENABLED"] = "false"
    session = script.run(
        """
        with dbapi.connect(URI) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            print(connection.adbc_connection.get_option("databricks.session_id"))
        """
    ).strip()
    cursor.execute("SELECT count(*) FROM system.telemetry.driver_log WHERE session_id = ?", (session,))
    assert cursor.fetchone() == (0,)
