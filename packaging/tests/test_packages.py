#!/usr/bin/env python3
"""test_packages.py CPACK BUILD VERSION: makes the .deb and the .tar.gz, looks at what they hold and ask for, and runs
the program out of each. Exit status 77 where the tools of Debian are not installed."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

CPACK, BUILD, VERSION = sys.argv[1:4]
FILES = """bin/tensorgauge bin/tgbench lib/libtg.a lib/libtg_layout.a lib/libtgl.a lib/pkgconfig/tg.pc lib/pkgconfig/tgl.pc
    lib/cmake/Tensorgauge/TensorgaugeConfig.cmake include/tensorgauge/primitives/primitives.h
    include/tensorgauge/primitives/layout.h include/tensorgauge/primitives/store.h include/tensorgauge/layers/layers.h
    share/tensorgauge/campaigns/quick.ini share/tensorgauge/networks/lenet5.txt share/tensorgauge/plots/style.gp
    share/doc/tensorgauge/README.md share/doc/tensorgauge/LICENSE share/doc/tensorgauge/examples/halo_stencil.c
    share/man/man1/tensorgauge-run.1 share/bash-completion/completions/tensorgauge
    share/tensorgauge/reframe/tensorgauge_check.py""".split()


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, timeout=200).stdout


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge test packages "))
        run(CPACK, "--config", f"{BUILD}/CPackConfig.cmake", "-B", cls.folder)
        cls.deb, = cls.folder.glob("*.deb")
        cls.tar, = cls.folder.glob("*.tar.gz")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def check_tree(self, top):
        for name in FILES:
            self.assertTrue((top / name).is_file(), name)
        self.assertIn("  quick ", run(top / "bin" / "tensorgauge", "list"))
        self.assertIn(str(top), run(top / "bin" / "tensorgauge", "list"))

    def test_deb(self):
        self.assertRegex(self.deb.name, rf"^tensorgauge_{VERSION}_[a-z0-9]+\.deb$")
        needs = run("dpkg-deb", "--field", self.deb, "Depends")
        for word in ("libc6", "libjansson4", "libhwloc15", "libopenblas0", "mpi"):
            self.assertIn(word, needs)
        self.assertIn("gnuplot", run("dpkg-deb", "--field", self.deb, "Recommends"))
        listed = [line.split(maxsplit=5)[5] for line in run("dpkg-deb", "--contents", self.deb).splitlines()]
        self.assertTrue(all(name == "./" or name.startswith("./usr/") for name in listed), listed)
        self.assertFalse([name for name in listed if "test" in name], "tests are no part of a package")
        run("dpkg-deb", "--extract", self.deb, self.folder / "root")
        self.check_tree(self.folder / "root" / "usr")

    def test_tar(self):
        shutil.unpack_archive(self.tar, self.folder / "unpacked")
        top, = (self.folder / "unpacked").iterdir()
        self.check_tree(top)


if __name__ == "__main__":
    if not (shutil.which("dpkg-deb") and shutil.which("dpkg-shlibdeps")):
        print("dpkg-deb or dpkg-shlibdeps is not installed: skipped")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
