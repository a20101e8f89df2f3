# Spack package of libcsv, which Tensorgauge reads CSV files with.
from spack.package import *


class Libcsv(AutotoolsPackage):
    """Reader and writer of CSV files as a small C library."""

    homepage = "https://github.com/rgamble/libcsv"
    git = "https://github.com/rgamble/libcsv.git"

    version("master", branch="master")
    license("LGPL-2.1-or-later")
    depends_on("c", type="build")
