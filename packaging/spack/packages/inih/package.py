# Spack package of inih, which Tensorgauge reads campaigns with.
from spack.package import *


class Inih(MesonPackage):
    """Parser of INI files in C."""

    homepage = "https://github.com/benhoyt/inih"
    git = "https://github.com/benhoyt/inih.git"

    version("master", branch="master")
    license("BSD-3-Clause")
    depends_on("c", type="build")
    depends_on("cxx", type="build")
