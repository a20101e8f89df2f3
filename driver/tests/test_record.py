#!/usr/bin/env python3
"""test_record.py TENSORGAUGE SCHEMA: run.json of a real run against its schema; the schema refuses what is wrong; nothing
of the environment but the variables on the list gets into a run folder."""
import copy
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from schema import problems

PROGRAM, SCHEMA = str(pathlib.Path(sys.argv[1]).resolve()), json.loads(pathlib.Path(sys.argv[2]).read_text())
del sys.argv[1:3]
CAMPAIGN = """[campaign]
name   = record
budget = 2s
[cells a]
case   = broadcast shape=N from=1 to=Pc
ranks  = 1,2
sizes  = 8B,1KiB
[cells b]
case   = affine batch=2 features=8:8 grid=1xP
ranks  = 2
"""
VALUE = "planted-value-0815"
PLANTED = ["SECRET_TOKEN", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "UCX_SECRET_KEY", "OMP_TOKEN", "SLURM_JWT",
           "OMPI_MCA_some_password", "HOME_OF_NOTHING", "SLURM_JOB_ACCOUNT"]
ALLOWED = {"OMP_PROC_BIND": "close", "SLURM_JOB_ID": "4711", "OPENBLAS_VERBOSE": "0",
           "PRTE_MCA_prte_silence_shared_fs": "1"}


class Record(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge record "))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        (cls.folder / "record.ini").write_text(CAMPAIGN)
        environment = {**os.environ, **{name: VALUE for name in PLANTED}, **ALLOWED,
                       "UCX_WARN_UNUSED_ENV_VARS": "n"}  # the library of MPICH's messages prints names that it does not know
        cls.done = subprocess.run([PROGRAM, "run", "record.ini", "--output", "results"], cwd=cls.folder, env=environment,
                                  capture_output=True, text=True, timeout=200, check=False)
        cls.run_folder = next((cls.folder / "results").iterdir())
        cls.record = json.loads((cls.run_folder / "run.json").read_text())

    def test_as_the_schema_says(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertEqual(problems(self.record, SCHEMA), [])
        for name in ("ended", "cells_done", "cells_wrong", "stopped_by_signal"):  # of a run that ended well
            self.assertIn(name, self.record)
        self.assertEqual(self.record["cells_done"], self.record["cells_planned"])
        self.assertEqual(self.record["campaign"]["text"], CAMPAIGN)
        self.assertEqual([launch["ranks"] for launch in self.record["launches"]].count(2), 1)

    def test_facts_of_each_launch(self):
        for launch in self.record["launches"]:
            self.assertEqual("facts" in launch, "--facts" in launch["command"])
            if "facts" in launch:
                facts = launch["facts"]
                self.assertEqual((facts["world_size"], len(facts["ranks"])), (launch["ranks"],) * 2)
                self.assertEqual(sum(machine["ranks"] for machine in facts["machines"]), launch["ranks"])
        self.assertEqual(list(self.run_folder.glob("facts-*")), [])

    def test_facts_of_tgbench(self):
        path = self.folder / "facts.json"
        done = subprocess.run([str(pathlib.Path(PROGRAM).parent / "tgbench"), "time", "broadcast shape=8 from=1 to=Pc",
                               "--max-reps", "6", "--facts", str(path)], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        facts = json.loads(path.read_text())
        self.assertEqual(problems(facts, {"$ref": "#/$defs/facts", "$defs": SCHEMA["$defs"]}), [])

    def test_what_the_schema_refuses(self):
        def put(path, value):
            def change(record):
                for key in path[:-1]:
                    record = record[key]
                record[path[-1]] = value
            return change

        for change in (
            lambda r: r.pop("campaign"), lambda r: r["machine"].pop("cores"), lambda r: r["launches"][0].pop("command"),
            put(["environment", "SECRET_TOKEN"], "x"), put(["environment", "HOME"], "/root"), put(["colour"], "red"),
            put(["schema"], 2), put(["machine", "cores"], 0), put(["machine", "cores"], "2"), put(["command"], "run"),
            put(["launches", 0, "environment"], ["SECRET_TOKEN=x"]), put(["started"], "yesterday"),
            put(["cells_planned"], True), put(["source"], []), put(["launches", 0, "ranks"], 1.5),
            put(["launches", 0, "facts"], {}),
        ):
            record = copy.deepcopy(self.record)
            change(record)
            self.assertNotEqual(problems(record, SCHEMA), [])

    def test_no_secret(self):
        self.assertEqual({name: self.record["environment"].get(name) for name in ALLOWED}, ALLOWED)
        files = [path for path in self.run_folder.rglob("*") if path.is_file()]
        self.assertGreaterEqual(len(files), 6)
        for path in files:
            content = path.read_bytes().decode()
            for text in (VALUE, *PLANTED):
                self.assertNotIn(text, content, path.name)

    def test_unknown_schema_word(self):
        with self.assertRaises(ValueError):
            problems(1, {"type": "integer", "maximum": 3})


if __name__ == "__main__":
    unittest.main()
