#!/usr/bin/env python3
"""test_debian_chroot.py DEBIAN_CHROOT: what the script does around a Debian: the commit that is cloned, who runs the command, its
exit status, and that nothing is left. A stand-in for debootstrap shows this machine's own folders in the place of packages.
Exit status 77, with the reason, where rights allow no namespaces."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SCRIPT = str(pathlib.Path(sys.argv.pop(1)).resolve())
# Its mounts are in the script's namespace. /etc is a copy, for users are added there.
STAND_IN = """#!/bin/bash
set -e
echo "$*" >"{folder}/words"
words=("$@")
root=${{words[-2]}}
mkdir -p "$root"/{{proc,sys,dev,tmp,root,home,run,var/cache/apt/archives}}
chmod 1777 "$root/tmp"
cp -a /etc "$root/etc"
mkdir -p "$root/etc/sudoers.d"
for path in bin sbin lib lib64; do
    if [[ -L /$path ]]; then cp -a "/$path" "$root/"; fi
done
mkdir "$root/usr"
mount --rbind /usr "$root/usr"
{more}
"""
WORDS = [((), "expected the name of a Debian"), (("--as", "nobody", "trixie"), '--as "nobody"'), (("--as",), '--as ""'),
         (("--many", "trixie"), "--many"), (("../trixie", "true"), '"../trixie"')]


class DebianChroot(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge-debian-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.scratch = self.folder / "tmp"
        self.scratch.mkdir()
        self.make_stand_in("")
        self.environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "TMPDIR": str(self.scratch),
                            "XDG_CACHE_HOME": str(self.folder / "cache"), "SECRET_OF_OURS": "1"}

    def make_stand_in(self, more):
        path = self.folder / "debootstrap"
        path.write_text(STAND_IN.format(folder=self.folder, more=more))
        path.chmod(0o755)

    def call(self, *words):
        return subprocess.run([SCRIPT, *words], capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL,
                              env=self.environment)

    def expect_nothing_left(self):
        self.assertEqual(list(self.scratch.iterdir()), [])
        self.assertNotIn(str(self.folder), pathlib.Path("/proc/mounts").read_text())

    def test_words(self):
        for words, said in WORDS:
            done = self.call(*words)
            self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), (words, done.stderr))
            self.assertTrue(done.stderr.startswith("debian-chroot: "), done.stderr)
            self.assertIn(said, done.stderr)

    def test_rights(self):
        plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--clear-groups"]
        script = pathlib.Path(shutil.copy(SCRIPT, self.folder))  # where that user may read
        shutil.copy(pathlib.Path(SCRIPT).parent / "lib.sh", self.folder)
        self.folder.chmod(0o755)
        done = subprocess.run([*plain, script, "trixie"], capture_output=True, text=True, timeout=100)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        self.assertIn("expected root", done.stderr)

    def test_users(self):
        """Who runs the command, where, in a clean clone of the commit, and what of the environment is there."""
        commit = subprocess.run(["git", "-C", str(pathlib.Path(SCRIPT).parent), "rev-parse", "HEAD"], capture_output=True,
                                text=True, check=True).stdout.strip()
        ask = ('cat .git/HEAD | grep -q . && id -un && pwd && git rev-parse HEAD && git status --porcelain && '
               'echo "${SECRET_OF_OURS-none}" && ls /dev/shm | wc -l && exit 7')
        for user, home, words in [("root", "/root", ()), ("tester", "/home/tester", ("--as", "sudo"))]:
            done = self.call(*words, "trixie", "bash", "-c", ask)
            self.assertEqual(done.returncode, 7, done.stderr)
            self.assertEqual(done.stdout.splitlines()[-5:], [user, f"{home}/tensorgauge", commit, "none", "0"], done.stderr)
            self.expect_nothing_left()
            asked = (self.folder / "words").read_text().split()
            self.assertEqual("--include=sudo" in asked, bool(words))
            self.assertIn("trixie", asked)
            self.assertIn(f"--cache-dir={self.folder}/cache/tensorgauge/trixie", asked)

    def test_no_debian(self):
        """debootstrap fails: what it said last, and one line."""
        self.make_stand_in("echo no such suite; exit 1")
        done = self.call("trixie", "true")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 2), done.stderr)
        self.assertIn("no such suite", done.stderr)
        self.expect_nothing_left()

    def test_signals(self):
        """A signal ends all that runs there; after SIGKILL, too, nothing is mounted and nothing runs."""
        for number, status in [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]:
            tick = self.folder / "cache" / "tensorgauge" / "trixie" / "tick"  # the cache is seen from both sides
            tick.unlink(missing_ok=True)
            command = "while :; do date +%N >/var/cache/apt/archives/tick; sleep 0.05; done & wait"
            with subprocess.Popen([SCRIPT, "trixie", "bash", "-c", command], stdin=subprocess.DEVNULL, env=self.environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as script:
                until = time.monotonic() + 100
                while not tick.exists() and time.monotonic() < until:
                    time.sleep(0.05)
                self.assertTrue(tick.exists())
                script.send_signal(number)
                self.assertEqual(script.wait(timeout=100), status)
            if number == signal.SIGKILL:
                self.assertNotIn(str(self.folder), pathlib.Path("/proc/mounts").read_text())
                time.sleep(1)
                for path in self.scratch.iterdir():
                    shutil.rmtree(path)
            self.expect_nothing_left()
            said = tick.read_text()
            time.sleep(0.5)
            self.assertEqual(tick.read_text(), said)


if __name__ == "__main__":
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, text=True)
    if probe.returncode != 0 or os.geteuid() != 0:
        print(f"skipped: {probe.stderr.strip() or 'not root'}")
        sys.exit(77)
    unittest.main()
