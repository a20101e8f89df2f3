#!/usr/bin/env python3
"""test_hooks.py PACKAGING: the ReFrame test on made runs, with a stand-in for ReFrame; the Spack packages as Python."""
import pathlib
import sys
import tempfile
import types
import unittest

PACKAGING = pathlib.Path(sys.argv[1]).resolve()
HEAD = "op,direction,size_bytes,ranks,status,t_median_us,case\n"
ROWS = ('broadcast,forward,8,4,ok,2.0,broadcast shape=2\nbroadcast,forward,8,4,ok,4.0,broadcast shape=2\n'
        '"raw:a b,$(c)",forward,8,4,ok,1.5,x\nhalo,adjoint,64,4,skipped,,halo shape=16\n')
PASS = "values passed\ntensorgauge accept: PASS: 12 of 12 rules passed\n"


class Stage(type):
    """As ReFrame's: these words are known in the body of a test's class."""
    @classmethod
    def __prepare__(mcs, name, bases, **more):
        def variable(kind, value):
            return value

        def run_before(stage):
            return lambda function: function
        return {"variable": variable, "run_before": run_before, "sanity_function": lambda function: function}


class Check(metaclass=Stage):
    num_tasks = 4


def load():
    """The module of the ReFrame test, with a stand-in for ReFrame."""
    sanity = types.SimpleNamespace(
        evaluate=lambda value: value, defer=lambda value: value, all=all,
        assert_eq=lambda a, b, msg: a == b, make_performance_function=lambda value, unit: (value, unit))
    reframe = types.ModuleType("reframe")
    reframe.simple_test = lambda kind: kind
    reframe.RunOnlyRegressionTest = Check
    modules = {"reframe": reframe}
    for name in ("reframe.utility", "reframe.core", "reframe.core.backends", "reframe.utility.sanity"):
        modules[name] = types.ModuleType(name)
    modules["reframe.core.backends"].getlauncher = lambda name: lambda: name
    modules["reframe.utility"].sanity = modules["reframe.utility.sanity"] = sanity
    reframe.utility = modules["reframe.utility"]
    sys.modules.update(modules)
    path = PACKAGING / "reframe" / "tensorgauge_check.py"
    module = types.ModuleType("tensorgauge_check")
    exec(compile(path.read_text(), path, "exec"), vars(module))
    return module


class Hooks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tensorgauge test [hooks] ")
        self.addCleanup(folder.cleanup)
        self.check = load().TensorgaugeCheck()
        self.check.stagedir, self.check.stdout = folder.name, "job.out"
        self.check.job = types.SimpleNamespace(launcher=None)
        self.run_folder = pathlib.Path(folder.name) / "results" / "20260101T000000Z_host_acceptance"
        self.run_folder.mkdir(parents=True)

    def is_good(self, output, rows):
        (self.run_folder / "cells.csv").write_text(HEAD + rows)
        (pathlib.Path(self.check.stagedir) / "job.out").write_text(output)
        return self.check.is_good()

    def test_verdicts(self):
        self.assertTrue(self.is_good(PASS, ROWS))
        self.assertFalse(self.is_good(PASS, ROWS.replace(",skipped,", ",wrong,")))
        self.assertFalse(self.is_good(PASS.replace("PASS", "FAIL"), ROWS))
        self.assertFalse(self.is_good(PASS.replace("PASS", "UNDECIDED"), ROWS))
        self.assertFalse(self.is_good(PASS + "tensorgauge: no memory\n", ROWS), "the verdict is the last line")
        self.assertFalse(self.is_good("", ROWS))

    def test_times(self):
        (self.run_folder / "cells.csv").write_text(HEAD + ROWS)
        self.check.set_times()
        self.assertEqual(self.check.perf_variables, {"broadcast_forward_8B_4ranks": (3.0, "us"),
                                                     "raw-a-b---c-_forward_8B_4ranks": (1.5, "us")})

    def test_words(self):
        self.check.launcher_words = "srun --mpi=pmix"
        self.check.set_words()
        self.assertEqual(self.check.job.launcher, "local")
        self.assertEqual(self.check.executable_opts, ["run", "acceptance", "--ranks", "4", "--output", "results",
                                                      "--launcher", "'srun --mpi=pmix'"])

    def test_spack(self):
        packages = sorted((PACKAGING / "spack" / "packages").glob("*/package.py"))
        self.assertEqual(len(packages), 3)
        for path in packages:
            compile(path.read_text(), path, "exec")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
