# Spack package of Tensorgauge, built from the source tree that this file lies in: README.md of packaging/ says how.
from spack.package import *


class Tensorgauge(CMakePackage):
    """Performance benchmarking and scaling suite for the linear operators of model parallelism."""

    version("0.1.0")
    license("BSD-3-Clause")

    variant("onednn", default=False, description="Convolve and multiply f32 with oneDNN")
    variant("papi", default=False, description="Count events with PAPI")

    depends_on("c", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type=("build", "run"))
    depends_on("python@3.9:", type="build")
    depends_on("cmocka", type=("build", "test"))
    depends_on("mpi@3.1:")
    depends_on("openblas")
    depends_on("hwloc@2:")
    depends_on("jansson")
    depends_on("inih")
    depends_on("libcsv")
    depends_on("zlib-api")
    depends_on("gnuplot", type="run")
    depends_on("onednn@2:", when="+onednn")
    depends_on("papi@6:", when="+papi")

    def cmake_args(self):
        return [
            self.define("MPI_C_COMPILER", self.spec["mpi"].mpicc),
            self.define_from_variant("TENSORGAUGE_ONEDNN", "onednn"),
            self.define_from_variant("TENSORGAUGE_PAPI", "papi"),
        ]
