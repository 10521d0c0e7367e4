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
set_tests_properties(simt.ptxas simt.ptxas.fires PROPERTIES LABELS simt TIMEOUT 900
                     SKIP_RETURN_CODE 77)
set_tests_properties(simt.ptxas PROPERTIES PROCESSORS 2)
