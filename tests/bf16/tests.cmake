# bf16 products on a processor that has no instructions for them (bf16_processor.cpp): oneDNN's
# reference code computes them. Where that is not possible every case of the test would be skipped,
# which counts as a failure here.
if(LYNCEUS_SANITIZE)
  return()  # the sanitizer's library must be loaded first
endif()
add_library(lynceus_bf16_processor SHARED ${CMAKE_CURRENT_SOURCE_DIR}/bf16/bf16_processor.cpp)
target_link_libraries(lynceus_bf16_processor PRIVATE dnnl::dnnl ${CMAKE_DL_LIBS})
add_test(NAME kernels.bf16_gemm_test.standin COMMAND kernels_bf16_gemm_test)
set_tests_properties(kernels.bf16_gemm_test.standin PROPERTIES LABELS unit TIMEOUT 300
                     ENVIRONMENT "LD_PRELOAD=$<TARGET_FILE:lynceus_bf16_processor>;OMP_NUM_THREADS=1"
                     FAIL_REGULAR_EXPRESSION "does not multiply bf16")
