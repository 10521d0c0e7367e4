# The tests of the kernels a second time without AVX-512, for processors that have it
# (kernels/cpu/instruction_set.h).
set(avx2_environment OMP_NUM_THREADS=1 LYNCEUS_ISA=avx2)
file(GLOB kernel_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/*_test.cpp)
foreach(source ${kernel_tests})
  get_filename_component(name ${source} NAME_WE)
  add_test(NAME kernels.${name}.avx2 COMMAND kernels_${name})
  set_tests_properties(kernels.${name}.avx2 PROPERTIES LABELS unit TIMEOUT 300
                       ENVIRONMENT "${avx2_environment}")
endforeach()
