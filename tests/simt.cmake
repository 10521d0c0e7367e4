# How the CUDA sources are held to the shim and to nvcc: the lint, and what ptxas says.

add_test(NAME simt.lint COMMAND ${BASH_PROGRAM} ${scripts}/simt_lint.sh ${CMAKE_SOURCE_DIR})
add_test(NAME simt.lint.fires COMMAND ${BASH_PROGRAM} ${scripts}/simt_lint_fires.sh)
set_tests_properties(simt.lint simt.lint.fires PROPERTIES LABELS simt TIMEOUT 60)

find_program(NVCC_PROGRAM nvcc HINTS ${CUDAToolkit_BIN_DIR})
if(NOT NVCC_PROGRAM)
  message(STATUS "No nvcc: what ptxas says of the CUDA kernels is not checked")
endif()
add_test(NAME simt.ptxas
         COMMAND ${BASH_PROGRAM} ${scripts}/simt_ptxas.sh ${CMAKE_SOURCE_DIR} ${NVCC_PROGRAM})
add_test(NAME simt.ptxas.fires
         COMMAND ${BASH_PROGRAM} ${scripts}/simt_ptxas_fires.sh ${NVCC_PROGRAM})
set_tests_properties(simt.ptxas simt.ptxas.fires PROPERTIES LABELS simt TIMEOUT 1800
                     SKIP_RETURN_CODE 77)
set_tests_properties(simt.ptxas PROPERTIES PROCESSORS 2)

if(NOT TARGET lynceus_gpu_standin)
  return()
endif()

# The shim itself: simt_test.cpp shows what works, seeded_test.cpp what is caught. They have no ranks,
# and children of theirs die: GoogleTest's own main().
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

lynceus_simt_test(simt_seeded_test ${CMAKE_CURRENT_SOURCE_DIR}/simt/seeded_test.cpp
                  ${CMAKE_CURRENT_SOURCE_DIR}/simt/seeded.cu)
add_test(NAME simt.seeded COMMAND simt_seeded_test)
set_tests_properties(simt.seeded PROPERTIES LABELS simt TIMEOUT 120)

lynceus_simt_test(simt_simt_test ${CMAKE_CURRENT_SOURCE_DIR}/simt/simt_test.cpp
                  ${CMAKE_CURRENT_SOURCE_DIR}/simt/matrix_test.cpp)
foreach(order ascending descending)
  add_test(NAME simt.shim.${order} COMMAND simt_simt_test)
  set_tests_properties(simt.shim.${order} PROPERTIES LABELS simt TIMEOUT 120
                       ENVIRONMENT LYNCEUS_SIMT_ORDER=${order})
endforeach()
