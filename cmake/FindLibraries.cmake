# The libraries we build on. MPI's launcher is the one of the MPI that was found: a program under another
# library's launcher runs as lone ranks with exit status 0.
if(MPI_C_COMPILER AND NOT MPIEXEC_EXECUTABLE)
  get_filename_component(wrapper "${MPI_C_COMPILER}" NAME)
  string(REGEX REPLACE "^mpicc" "" suffix "${wrapper}")
  find_program(launcher NAMES "mpiexec${suffix}" NO_CACHE)
  if(launcher)
    set(MPIEXEC_EXECUTABLE "${launcher}" CACHE FILEPATH "Launcher of the MPI library" FORCE)
  endif()
endif()
find_package(MPI 3.1 REQUIRED COMPONENTS C)

find_package(PkgConfig REQUIRED)
pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
find_path(LIBCSV_INCLUDE csv.h REQUIRED) # libcsv ships no pkg-config file
find_library(LIBCSV_LIBRARY csv REQUIRED)

# Optional: hardware counters.
pkg_check_modules(PAPI QUIET IMPORTED_TARGET papi)
