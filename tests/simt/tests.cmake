# Tests of the shim (tests/simt/host) and of the kernels on it:
#   simt.shim.*          the shim's own tests
#   simt.races.*         kernels with data races, which must be reported with their lines
#   simt.<test>.race     kernel tests whose .cu files clang compiled for the race detector
#   simt.seeded          kernels with one planted bug each, all of which must be caught
#   simt.ptxas           nvcc compiles every kernel without warnings and without register spills
# simt.lint (tests/repo) checks that kernels use the machine through simt.h only.

find_program(NVCC_PROGRAM nvcc HINTS ${CUDAToolkit_BIN_DIR})
if(NOT NVCC_PROGRAM)
  message(STATUS "No nvcc: warnings and register spills of the CUDA kernels are not checked")
endif()
add_test(NAME simt.ptxas
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/simt/simt_ptxas.sh ${CMAKE_SOURCE_DIR} ${NVCC_PROGRAM})
add_test(NAME simt.ptxas.fires
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/simt/simt_ptxas_fires.sh ${NVCC_PROGRAM})
set_tests_properties(simt.ptxas simt.ptxas.fires PROPERTIES LABELS simt TIMEOUT 1800
                     SKIP_RETURN_CODE 77)
set_tests_properties(simt.ptxas PROPERTIES PROCESSORS 2)  # two compilers at a time

if(NOT TARGET lynceus_gpu_standin)
  return()
endif()

# The shim: simt_test.cpp tests what works, seeded_test.cpp tests which bugs are caught. They use
# GoogleTest's own main() because they have no ranks and start child processes that die.
function(lynceus_simt_test target)
  add_executable(${target} ${ARGN})
  foreach(source ${ARGN})
    if(source MATCHES "\\.cu$")
      set_source_files_properties(${source} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-xc++")
    endif()
  endforeach()
  target_compile_options(${target} PRIVATE -fno-strict-aliasing -Wno-unknown-pragmas)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/simt/host)
  target_include_directories(${target} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(${target} PRIVATE lynceus_gpu_standin lynceus_kernels GTest::gtest_main)
endfunction()

function(lynceus_in_both_orders name program)
  foreach(order ascending descending)
    add_test(NAME ${name}.${order} COMMAND ${program})
    set_tests_properties(${name}.${order} PROPERTIES LABELS simt TIMEOUT 120
                         ENVIRONMENT LYNCEUS_SIMT_ORDER=${order})
  endforeach()
endfunction()

lynceus_simt_test(simt_seeded_test ${CMAKE_CURRENT_SOURCE_DIR}/simt/seeded_test.cpp
                  ${CMAKE_CURRENT_SOURCE_DIR}/simt/seeded.cu)
add_test(NAME simt.seeded COMMAND simt_seeded_test)
set_tests_properties(simt.seeded PROPERTIES LABELS simt TIMEOUT 120)

lynceus_simt_test(simt_simt_test ${CMAKE_CURRENT_SOURCE_DIR}/simt/simt_test.cpp
                  ${CMAKE_CURRENT_SOURCE_DIR}/simt/matrix_test.cpp
                  ${CMAKE_CURRENT_SOURCE_DIR}/simt/matrix.cu)
lynceus_in_both_orders(simt.shim simt_simt_test)

set(races_kernels ${CMAKE_CURRENT_SOURCE_DIR}/simt/races_block.cu
    ${CMAKE_CURRENT_SOURCE_DIR}/simt/races_warp.cu ${CMAKE_CURRENT_SOURCE_DIR}/simt/races_memory.cu)
lynceus_simt_test(simt_races_test ${CMAKE_CURRENT_SOURCE_DIR}/simt/races_test.cpp ${races_kernels})
target_link_libraries(simt_races_test PRIVATE GTest::gmock)
target_compile_definitions(simt_races_test PRIVATE LYNCEUS_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
lynceus_in_both_orders(simt.races simt_races_test)

find_program(CLANG_PROGRAM NAMES clang++-14 clang++)
find_program(OBJCOPY_PROGRAM objcopy)
find_program(ADDR2LINE_PROGRAM addr2line)
if(NOT CLANG_PROGRAM OR NOT OBJCOPY_PROGRAM OR NOT ADDR2LINE_PROGRAM)
  message(STATUS "No clang, objcopy or addr2line: the CUDA kernels are not searched for races")
  return()
endif()

# No vectors of more than 16 bytes: clang's pass does not instrument them. DWARF 4, because with DWARF 5
# addr2line does not resolve functions that were inlined in two pieces.
set(race_flags -xc++ -std=c++20 -O2 -g1 -gdwarf-4 -fno-vectorize -fno-slp-vectorize
    -fno-strict-aliasing -fsanitize=thread,alignment,bounds -fno-sanitize-recover=all
    -mllvm -tsan-instrument-func-entry-exit=0 -mllvm -tsan-instrument-atomics=0
    -Wno-unknown-pragmas -Wno-unknown-cuda-version
    -I${CMAKE_SOURCE_DIR} -I${CMAKE_SOURCE_DIR}/src -I${CMAKE_CURRENT_SOURCE_DIR}/simt/host
    -isystem ${CUDAToolkit_INCLUDE_DIRS})

# lynceus_race_objects(OBJECTS SOURCE...): compiles the sources for the race detector.
function(lynceus_race_objects objects)
  set(results)
  foreach(source ${ARGN})
    get_filename_component(name ${source} NAME)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/race/${name}.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${CLANG_PROGRAM} ${race_flags} -MD -MF ${object}.d
              -MT ${object} -c ${source} -o ${object}.raw.o
      COMMAND ${OBJCOPY_PROGRAM} --redefine-sym memcpy=lynceus_race_memcpy
              --redefine-sym memmove=lynceus_race_memmove
              --redefine-sym memset=lynceus_race_memset ${object}.raw.o ${object}
      DEPENDS ${source} DEPFILE ${object}.d
      COMMENT "Compiling ${name} for the race detector" VERBATIM)
    list(APPEND results ${object})
  endforeach()
  set(${objects} ${results} PARENT_SCOPE)
endfunction()
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/race)

set(cuda_sources ${LYNCEUS_GPU_SOURCES})
list(FILTER cuda_sources INCLUDE REGEX "\\.cu$")
lynceus_race_objects(race_objects ${cuda_sources})
lynceus_race_objects(races_objects ${races_kernels})
lynceus_race_objects(shim_objects ${CMAKE_CURRENT_SOURCE_DIR}/simt/simt_test.cpp
                     ${CMAKE_CURRENT_SOURCE_DIR}/simt/matrix_test.cpp
                     ${CMAKE_CURRENT_SOURCE_DIR}/simt/matrix.cu)
add_custom_target(lynceus_race_kernels DEPENDS ${race_objects} ${races_objects} ${shim_objects})

file(GLOB race_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/simt/race/*.cpp)
add_library(lynceus_race OBJECT ${race_sources})
target_include_directories(lynceus_race PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/simt/host)
target_include_directories(lynceus_race SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(lynceus_race PUBLIC lynceus_core)

# lynceus_race_executable(TARGET MAIN OBJECT...): a test on the stand-in with instrumented kernels; MAIN
# is the library with main(). The stand-in comes first, so that the linker takes its copy of functions
# that both compilers emit.
function(lynceus_race_executable target main)
  add_executable(${target} $<FILTER:$<TARGET_OBJECTS:lynceus_gpu_standin>,EXCLUDE,\\.cu\\.o$>
                           ${race_objects} ${ARGN})
  add_dependencies(${target} lynceus_race_kernels)
  target_link_libraries(${target} PRIVATE lynceus_race lynceus_kernels lynceus_parallel ${main}
                        Boost::context OpenMP::OpenMP_CXX dnnl::dnnl)
endfunction()

foreach(source ${kernel_tests})
  get_filename_component(name ${source} NAME_WE)
  if(NOT TARGET simt_${name})
    continue()
  endif()
  lynceus_race_executable(race_${name} lynceus_test_main $<TARGET_OBJECTS:kernels_${name}>)
  # Bitwise repeatability is tested elsewhere; here it would only run the same kernels again.
  add_test(NAME simt.${name}.race COMMAND race_${name} --gtest_filter=-*Threads.BitEqual:*.Bits*)
  set_tests_properties(simt.${name}.race PROPERTIES LABELS simt TIMEOUT 300 ENVIRONMENT
    "LYNCEUS_TEST_DEVICE=cuda;OMP_NUM_THREADS=1")
endforeach()

lynceus_race_executable(race_races_test "GTest::gtest_main;GTest::gmock" ${races_objects}
  $<FILTER:$<TARGET_OBJECTS:simt_races_test>,EXCLUDE,\\.cu\\.o$>)
lynceus_in_both_orders(simt.races.race race_races_test)
lynceus_race_executable(race_simt_test GTest::gtest_main ${shim_objects})
lynceus_in_both_orders(simt.shim.race race_simt_test)
