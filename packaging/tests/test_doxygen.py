#!/usr/bin/env python3
"""test_doxygen.py SOURCE: the public headers as Doxygen reads them, without a warning. Exit status 77 where Doxygen is
not installed."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv[1])
NAMES = ["primitives/layout.h", "primitives/store.h", "primitives/primitives.h", "layers/layers.h",
         "packaging/Doxyfile", "packaging/doxygen.sed"]


class Doxygen(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tensorgauge test doxygen ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in NAMES:
            (self.folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(SOURCE / name, self.folder / name)
        (self.folder / "build").mkdir()

    def doxygen(self):
        return subprocess.run(["doxygen", "packaging/Doxyfile"], cwd=self.folder, capture_output=True, text=True, timeout=200)

    def test_pages(self):
        done = self.doxygen()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        html = self.folder / "build" / "doxygen" / "html"
        text = (html / "primitives_8h.html").read_text()
        self.assertIn("every rank passes the same problem", text)  # in front of tg_plan
        self.assertIn("linear operators between two layouts of one tensor", text)  # of the file
        self.assertIn("as in a case: f32", (html / "structtg__dtype.html").read_text())  # behind a member

    def test_a_warning_fails(self):
        with open(self.folder / "layers" / "layers.h", "a") as file:
            file.write("/* @param absent is no parameter */\nvoid tgl_planted(int present);\n")
        done = self.doxygen()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("absent", done.stderr)


if __name__ == "__main__":
    if not shutil.which("doxygen"):
        print("doxygen is not installed: skipped")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
