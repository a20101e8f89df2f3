# Which tests run where is said by labels; scripts/test asks for them (scripts/README.md has the list):
#   all      only `scripts/test --all`: it is long, and another test looks at the same code with fewer ranks
#   library  depends on the MPI library: runs with MPICH, too
#   asan     runs under the address and leak sanitizers, too
# Ranks yield where they share cores, and tests wait for launchers most of the time: so two run on each core.
set(TENSORGAUGE_TEST_RANKS 1 2 3 4 7) # what is tried without --all: odd, even, a prime, more ranks than blocks
set(TENSORGAUGE_MPI_TEST_ENVIRONMENT
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none # Open MPI 4's launcher
  PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none # Open MPI 5's
  OMPI_MCA_mpi_yield_when_idle=1
  OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader # one machine: no search for networks, half the time of a start; 5 says sm to vader
  OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
  ASAN_OPTIONS=detect_leaks=0) # MPI libraries leak; primitives/tests/leaks.sh looks for leaks of ours
if(TENSORGAUGE_MPICH) # whose ranks never yield by themselves
  add_library(tests_yield MODULE primitives/tests/yield.c)
  target_link_libraries(tests_yield PRIVATE tensorgauge_flags)
  list(APPEND TENSORGAUGE_MPI_TEST_ENVIRONMENT # LD_PRELOAD takes no path with a blank
    LD_PRELOAD=$<TARGET_FILE_NAME:tests_yield> LD_LIBRARY_PATH=$<TARGET_FILE_DIR:tests_yield>
    MPIR_CVAR_SHM_SYMHEAP_RETRY=0) # shared windows at any address, not for 0.1 s at one that all ranks have free
endif()

# tensorgauge_mpi_test(NAME name TARGET program RANKS 1 2 3 ... [ARGS ...] [LIBRARY] [TIMEOUT s]): one ctest per rank
# count, launched by the MPI that the program was built with; LIBRARY: up to 4 ranks get that label. A hang ends after TIMEOUT
# seconds. One rank count, 3 where it is there, else 2, stands for the others under the address sanitizer.
function(tensorgauge_mpi_test)
  cmake_parse_arguments(T "LIBRARY" "NAME;TARGET;TIMEOUT" "RANKS;ARGS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  set(asan_ranks 0)
  foreach(ranks 2 3)
    if(ranks IN_LIST T_RANKS)
      set(asan_ranks ${ranks})
    endif()
  endforeach()
  foreach(ranks IN LISTS T_RANKS)
    set(labels "")
    if(NOT ranks IN_LIST TENSORGAUGE_TEST_RANKS AND NOT ranks EQUAL asan_ranks)
      list(APPEND labels all)
    endif()
    if(ranks EQUAL asan_ranks)
      list(APPEND labels asan)
    endif()
    if(T_LIBRARY AND ranks LESS_EQUAL 4) # more ranks meet no other calls, and share cores longest with MPICH
      list(APPEND labels library)
    endif()
    add_test(NAME ${T_NAME}.np${ranks}
      COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} $<TARGET_FILE:${T_TARGET}> ${T_ARGS})
    set_tests_properties(${T_NAME}.np${ranks} PROPERTIES TIMEOUT ${T_TIMEOUT} PROCESSORS 2 LABELS "${labels}"
      ENVIRONMENT "${TENSORGAUGE_MPI_TEST_ENVIRONMENT}")
  endforeach()
endfunction()

# tensorgauge_fuzz(name SOURCES ... LIBRARIES ... INCLUDES ...): a program of libFuzzer, fuzz_name; only in preset fuzz (scripts/fuzz).
function(tensorgauge_fuzz name)
  cmake_parse_arguments(F "" "" "SOURCES;LIBRARIES;INCLUDES" ${ARGN})
  if(TENSORGAUGE_FUZZ)
    add_executable(fuzz_${name} fuzz_${name}.c ${F_SOURCES})
    target_include_directories(fuzz_${name} PRIVATE ${F_INCLUDES})
    target_link_libraries(fuzz_${name} PRIVATE tensorgauge_flags tgb_plain ${F_LIBRARIES} m)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()
