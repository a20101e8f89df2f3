# The libraries we build on. MPI's launcher is the one of the MPI that was found, beside its compiler wrapper: a program
# under another library's launcher runs as lone ranks with exit status 0. A launcher that the user names stays.
option(TENSORGAUGE_SIMULATED "Build tgbench for simulated ranks, with SimGrid" OFF)
set(mpi_packages "Debian: apt install openmpi-bin libopenmpi-dev, or mpich libmpich-dev")
if(MPI_C_COMPILER MATCHES "mpicc.openmpi$")
  set(mpi_packages "Debian: apt install openmpi-bin libopenmpi-dev")
elseif(MPI_C_COMPILER MATCHES "mpicc.mpich$")
  set(mpi_packages "Debian: apt install mpich libmpich-dev")
endif()

function(tensorgauge_find_launcher)
  get_filename_component(name "${MPI_C_COMPILER}" NAME)
  find_program(wrapper NAMES "${MPI_C_COMPILER}" NO_CACHE)
  if(NOT wrapper)
    message(FATAL_ERROR "The compiler wrapper '${MPI_C_COMPILER}' of an MPI library is not found. ${mpi_packages}; or name "
      "another one: -DMPI_C_COMPILER=mpicc")
  endif()
  if(TENSORGAUGE_WRAPPER AND NOT TENSORGAUGE_WRAPPER STREQUAL wrapper) # all that was found belongs to another library
    get_cmake_property(cached CACHE_VARIABLES)
    list(FILTER cached INCLUDE REGEX "^(MPI_C_.*|MPI_[a-z].*|TG_HAVE_.*|TENSORGAUGE_MPICH)$")
    list(REMOVE_ITEM cached MPI_C_COMPILER)
    if(MPIEXEC_EXECUTABLE STREQUAL TENSORGAUGE_LAUNCHER)
      list(APPEND cached MPIEXEC_EXECUTABLE)
    endif()
    foreach(variable IN LISTS cached)
      unset(${variable} CACHE)
    endforeach()
  endif()
  if(NOT MPIEXEC_EXECUTABLE AND name MATCHES "^mpicc")
    string(REGEX REPLACE "^mpicc" "mpiexec" name "${name}")
    get_filename_component(folder "${wrapper}" DIRECTORY)
    find_program(launcher NAMES "${name}" HINTS "${folder}" NO_CACHE)
    if(NOT launcher)
      message(FATAL_ERROR "The launcher '${name}', which belongs to ${wrapper}, is not found. ${mpi_packages}; or name "
        "another one: -DMPIEXEC_EXECUTABLE=PROGRAM")
    endif()
    set(MPIEXEC_EXECUTABLE "${launcher}" CACHE FILEPATH "Launcher of the MPI library" FORCE)
    set(TENSORGAUGE_LAUNCHER "${launcher}" CACHE INTERNAL "The launcher that was found for the compiler wrapper")
  endif()
  set(TENSORGAUGE_WRAPPER "${wrapper}" CACHE INTERNAL "The compiler wrapper that MPI was found for")
endfunction()

if(TENSORGAUGE_SIMULATED)
  include(cmake/Simgrid.cmake)
else()
  if(MPI_C_COMPILER)
    tensorgauge_find_launcher()
  elseif(NOT MPIEXEC_EXECUTABLE)
    find_program(MPI_C_COMPILER NAMES mpicc)
    if(MPI_C_COMPILER)
      tensorgauge_find_launcher()
    else()
      unset(MPI_C_COMPILER CACHE)
    endif()
  endif()
  find_package(MPI 3.1 QUIET COMPONENTS C)
  if(NOT MPI_C_FOUND)
    message(FATAL_ERROR "No MPI library of standard 3.1 or later is found (compiler wrapper: '${MPI_C_COMPILER}'). "
      "${mpi_packages}")
  endif()
endif()

# Calls that not every MPI library has: without them some algorithms are not offered. SimGrid's library declares the
# neighbourhood collectives and ends the program when one is called. MPICH 4.0's MPI_Neighbor_alltoallw moves nothing
# for a rank that only sends or only receives. SimGrid's ranks are threads of one process, whose shared memory says
# nothing about a machine; its persistent requests may hang.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_C)
check_c_source_compiles("
  #include <mpi.h>
  #if defined(SMPI_H) || defined(MPICH_VERSION)
  #error no neighbourhood collectives that work
  #endif
  int main(void) { return MPI_Neighbor_alltoallw(0, 0, 0, 0, 0, 0, 0, 0, MPI_COMM_WORLD); }" TG_HAVE_NEIGHBOR)
check_c_source_compiles("
  #include <mpi.h>
  #ifdef SMPI_H
  #error simulated ranks
  #endif
  int main(void) { MPI_Win w; void *p; return MPI_Win_allocate_shared(0, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &p, &w); }"
  TG_HAVE_NODE)
check_c_source_compiles("
  #include <mpi.h>
  #ifdef SMPI_H
  #error persistent requests that may hang
  #endif
  int main(void) { return MPI_Startall(0, 0); }" TG_HAVE_PERSISTENT)
check_c_source_compiles("
  #include <mpi.h>
  int main(void) { return MPI_Win_post(MPI_GROUP_EMPTY, 0, MPI_WIN_NULL) + MPI_Win_complete(MPI_WIN_NULL); }" TG_HAVE_RMA)
# Calls of MPI 4. Open MPI 4.1 and SimGrid have none of them. Open MPI 5.0.7 has partitioned messages, but the first
# waits until all ranks of MPI_COMM_WORLD have made one (open-mpi/ompi issue 12969).
check_c_source_compiles("
  #include <mpi.h>
  int main(void) {
    MPI_Request r;
    MPI_Bcast_init(0, 0, MPI_INT, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &r);
    return MPI_Alltoallw_init(0, 0, 0, 0, 0, 0, 0, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &r); }" TG_HAVE_PERSISTENT_COLLECTIVES)
check_c_source_compiles("
  #include <mpi.h>
  #ifdef OPEN_MPI
  #error partitioned messages that hang
  #endif
  int main(void) {
    MPI_Request r;
    MPI_Psend_init(0, 1, 0, MPI_INT, 0, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &r);
    return MPI_Pready_range(0, 0, r); }" TG_HAVE_PARTITIONED)
check_c_source_compiles("
  #include <mpi.h>
  int main(void) { return MPI_Send_c(0, 0, MPI_INT, 0, 0, MPI_COMM_WORLD) + MPI_Op_create_c(0, 1, 0); }" TG_HAVE_LARGE_COUNTS)
# MPICH writes "no statuses" as the address 1, which GCC takes for an array of no bytes that a call overruns.
check_c_source_compiles("
  #include <mpi.h>
  #ifndef MPICH_VERSION
  #error another library
  #endif
  int main(void) { return 0; }" TENSORGAUGE_MPICH)
if(TENSORGAUGE_MPICH AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(MPI::MPI_C INTERFACE -Wno-stringop-overflow)
endif()
unset(CMAKE_REQUIRED_LIBRARIES)

find_package(PkgConfig REQUIRED)
pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
find_path(LIBCSV_INCLUDE csv.h REQUIRED) # libcsv ships no pkg-config file
find_library(LIBCSV_LIBRARY csv REQUIRED)

# Optional: PAPI counts hardware and other events; its library libsde publishes events of our own.
option(TENSORGAUGE_PAPI "Count events with PAPI, where it is found" ON)
add_library(tensorgauge_papi INTERFACE)
if(TENSORGAUGE_PAPI)
  pkg_check_modules(PAPI QUIET IMPORTED_TARGET papi)
  find_path(SDE_INCLUDE sde_lib.h HINTS ${PAPI_INCLUDE_DIRS})
  find_library(SDE_LIBRARY sde HINTS ${PAPI_LIBRARY_DIRS})
endif()
if(TENSORGAUGE_PAPI AND PAPI_FOUND)
  target_link_libraries(tensorgauge_papi INTERFACE PkgConfig::PAPI)
  target_compile_definitions(tensorgauge_papi INTERFACE TGB_PAPI)
  if(SDE_INCLUDE AND SDE_LIBRARY)
    target_link_libraries(tensorgauge_papi INTERFACE ${SDE_LIBRARY})
    target_compile_definitions(tensorgauge_papi INTERFACE TGB_SDE)
  endif()
endif()

# Optional: oneDNN's convolutions, 2.x or 3.x. Its own CMake package asks for OpenCL, which we do not need.
option(TENSORGAUGE_ONEDNN "Convolve with oneDNN, where it is found" ON)
if(TENSORGAUGE_ONEDNN)
  find_path(ONEDNN_INCLUDE dnnl.h)
  find_library(ONEDNN_LIBRARY dnnl)
endif()
if(TENSORGAUGE_ONEDNN AND ONEDNN_INCLUDE AND ONEDNN_LIBRARY)
  add_library(tensorgauge_onednn INTERFACE)
  target_include_directories(tensorgauge_onednn SYSTEM INTERFACE ${ONEDNN_INCLUDE})
  target_link_libraries(tensorgauge_onednn INTERFACE ${ONEDNN_LIBRARY} ${CMAKE_DL_LIBS})
  target_compile_definitions(tensorgauge_onednn INTERFACE TENSORGAUGE_ONEDNN)
endif()
