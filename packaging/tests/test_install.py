#!/usr/bin/env python3
"""test_install.py CMAKE BUILD SOURCE: installs BUILD into a prefix with a blank in its name, moves the tree, and
uses it from another folder while the source tree and the build folder cannot be seen: a run, its figures, and the
example programs built against the package, by pkg-config and by find_package."""
import csv
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

CMAKE, BUILD, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve()


def run(words, where, more=None, hidden=None):
    """The standard output of a command, which must end with 0."""
    done = subprocess.run((hidden or []) + [str(word) for word in words], cwd=where, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env=os.environ | (more or {}), timeout=250)
    if done.returncode != 0:
        raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def hiding():
    """The words before a command that hide source and build, where this kernel and our rights allow it."""
    script = 'for folder; do shift; [ "$folder" = -- ] && break; mount -t tmpfs none "$folder" || exit; done; exec "$@"'
    for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
        words = unshare + ["sh", "-c", script, "hide", str(BUILD), str(SOURCE), "--"]
        try:
            if subprocess.run(words + ["true"], cwd="/", capture_output=True, timeout=60).returncode == 0:
                return words
        except FileNotFoundError:
            break
    print("the source tree stays visible: no rights for a mount namespace", file=sys.stderr)
    return []


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge test install "))
        cls.hidden = hiding()
        first, cls.prefix = cls.folder / "first prefix", cls.folder / "moved to" / "another prefix"
        run([CMAKE, "--install", BUILD, "--prefix", first], cls.folder)
        cls.prefix.parent.mkdir()
        first.rename(cls.prefix)
        cls.elsewhere = cls.folder / "some where"
        cls.elsewhere.mkdir()
        cls.pkgconfig = next(cls.prefix.rglob("tg.pc")).parent

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_programs(self):
        tool = self.prefix / "bin" / "tensorgauge"
        listed = run([tool, "list"], self.elsewhere, hidden=self.hidden)
        self.assertIn(f"campaigns in {self.prefix}/bin/../share/tensorgauge/campaigns\n  ", listed)
        self.assertIn(f"  {self.prefix}/bin/tgbench", listed)
        run([tool, "run", "smoke", "--budget", "2s", "--sizes", "1KiB,4KiB"], self.elsewhere, hidden=self.hidden)
        folder, = (self.elsewhere / "results").iterdir()
        with open(folder / "cells.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertGreater(len(rows), 4)
        self.assertEqual({row["status"] for row in rows}, {"ok"})
        record = json.loads((folder / "run.json").read_text())
        self.assertIsNone(record["source"], "an installed program knows nothing of a source tree")
        run([tool, "plot", folder], self.elsewhere, hidden=self.hidden)
        self.assertTrue(list((folder / "figures").glob("*.pdf")))

    @unittest.skipUnless(shutil.which("tclsh"), "tclsh is not installed")
    def test_module(self):
        module, = (self.prefix / "share" / "modulefiles" / "tensorgauge").iterdir()
        script = ("foreach word {module-whatis conflict} { proc $word args {} }\n"
                  "proc prepend-path {name path} { puts [list $name $path] }\n"
                  "set ModulesCurrentModulefile [lindex $argv 0]\nsource $ModulesCurrentModulefile\n")
        (self.folder / "read.tcl").write_text(script)
        told = run(["tclsh", self.folder / "read.tcl", module], self.elsewhere, hidden=self.hidden)
        paths = dict(line.split(" ", 1) for line in told.splitlines())
        self.assertEqual(paths["PATH"], f"{{{self.prefix}/bin}}")
        self.assertEqual(paths["CMAKE_PREFIX_PATH"], f"{{{self.prefix}}}")
        self.assertEqual(paths["PKG_CONFIG_PATH"], f"{{{self.pkgconfig}}}")
        self.assertTrue((pathlib.Path(paths["MANPATH"].strip("{}")) / "man1" / "tensorgauge.1").is_file())

    def check_examples(self, folder):
        mpiexec = json.loads(run([self.prefix / "bin" / "tgbench", "list", "--json"], "/"))["build"]["mpiexec"]
        for name, ranks in (("halo_stencil", 2), ("distributed_layer", 3)):
            told = run([mpiexec, "-n", ranks, folder / name], self.elsewhere, hidden=self.hidden)
            self.assertRegex(told, r": 0 wrong\n$")

    def test_pkg_config(self):
        source, = self.prefix.rglob("halo_stencil.c")
        folder = self.folder / "with pkg-config"
        folder.mkdir()
        path = {"PKG_CONFIG_PATH": str(self.pkgconfig)}
        mpicc = run(["pkg-config", "--variable=mpicc", "tg"], "/", path).strip()
        for name, package in (("halo_stencil", "tg"), ("distributed_layer", "tgl")):
            words = shlex.split(run(["pkg-config", "--cflags", "--libs", package], "/", path))
            run([mpicc, "-Wall", "-Werror", source.with_name(name + ".c"), "-o", folder / name] + words,
                self.elsewhere, hidden=self.hidden)
        self.check_examples(folder)

    def test_find_package(self):
        source, = self.prefix.rglob("halo_stencil.c")
        folder = self.folder / "with find_package"
        run([CMAKE, "-S", source.parent, "-B", folder, f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_BUILD_TYPE=Release",
             "-DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF"], self.elsewhere, hidden=self.hidden)
        run([CMAKE, "--build", folder], self.elsewhere, hidden=self.hidden)
        self.check_examples(folder)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
