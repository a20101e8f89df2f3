#!/usr/bin/env python3
"""test_manual.py MANUAL TENSORGAUGE TGBENCH: every option that --help prints is in the manual page of its verb and is
completed; no other is; the pages draw no warning; completions in bash."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

MANUAL, PROGRAMS = pathlib.Path(sys.argv[1]), sys.argv[2:]
PAGES = sorted((MANUAL / "man1").glob("*.1"))


def help_of(*words):
    return subprocess.run([*words, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout


def complete(program, *words):
    """What bash offers for the last of the words."""
    script = ('source "$1"; shift; name=$1; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "_$name"; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-uc", script, "bash", str(MANUAL / "completions" / program), program, *words],
                          check=True, capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return done.stdout.split()


class Manual(unittest.TestCase):
    def test_options(self):
        seen = 0
        for program in PROGRAMS:
            name = os.path.basename(program)
            for verb in complete(name, ""):
                if verb.startswith("--"):
                    continue
                printed = set(re.findall(r"^ {2,6}(--[a-z-]+)", help_of(program, verb), re.M))
                text = (MANUAL / "man1" / f"{name}-{verb}.1").read_text().replace("\\-", "-")
                self.assertEqual(set(re.findall(r"^\\fB(--[a-z-]+)", text, re.M)), printed, (name, verb))
                completed = complete(name, verb, "--") if printed else []
                self.assertEqual({word.rstrip("=") for word in completed}, printed, (name, verb))
                seen += len(printed)
        self.assertGreater(seen, 80)

    def test_verbs(self):
        for program in PROGRAMS:
            name = os.path.basename(program)
            printed = re.findall(rf"^  (?:{name} )?([a-z]+)\b", help_of(program), re.M)
            self.assertGreater(len(printed), 3)
            self.assertEqual(complete(name, ""), printed + ["--help", "--version"])
            self.assertEqual(sorted(page.stem for page in PAGES if page.stem.startswith(name)),
                             sorted([name] + [f"{name}-{verb}" for verb in printed]))

    def test_completions(self):
        self.assertEqual(complete("tensorgauge", "co"), ["compare"])
        self.assertEqual(complete("tensorgauge", "run", "qu"), ["quick"])
        self.assertEqual(complete("tensorgauge", "run", "quick", "--bud"), ["--budget="])
        self.assertEqual(complete("tensorgauge", "run", "--dry"), ["--dry-run"])
        self.assertEqual(complete("tensorgauge", "run", "--output", "q"), [], "a value: files")
        self.assertEqual(complete("tensorgauge", "run", "--output", "=", "q"), [], "a value: files")
        self.assertEqual(complete("tensorgauge", "accept", "x"), [], "a run folder: files")
        self.assertEqual(complete("tensorgauge", "unknown", ""), [])
        self.assertEqual(complete("tensorgauge", "train", "lenet5-d"), ["lenet5-data"])
        self.assertEqual(complete("tgbench", "time", "--cel"), ["--cells="])

    @unittest.skipUnless(shutil.which("man") and shutil.which("nroff"), "man is not installed")
    def test_warnings(self):
        self.assertGreater(len(PAGES), 10)
        for page in PAGES:
            done = subprocess.run(["man", "--warnings", "-P", "cat", "-l", page], capture_output=True, text=True, timeout=60,
                                  env=os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
            self.assertEqual((done.returncode, done.stderr), (0, ""), page.name)
            self.assertIn("DESCRIPTION", done.stdout)
            self.assertIn(page.stem.replace("-", " "), done.stdout)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_lint(self):
        for page in PAGES:
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, timeout=60)
            found = [line for line in done.stdout.splitlines() if "missing date" not in line]  # the same input, the same page
            self.assertEqual(found, [], page.name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
