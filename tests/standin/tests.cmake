# The CUDA path on the host: the host compiler compiles the sources of lynceus_gpu against the shim
# (tests/simt/host) and the stand-in for the device (tests/standin). This needs the headers of the CUDA
# toolkit; none of its programs runs. Every kernel test that uses test_stream() runs there too, with the
# threads in ascending and in descending order.

# In the preset "cuda" the same kernel tests run on a GPU too, where there is one.
file(GLOB kernel_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/*_test.cpp)
if(LYNCEUS_CUDA)
  add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/simt)
  foreach(source ${kernel_tests})
    file(STRINGS ${source} uses_stream REGEX "test_stream\\(\\)")
    get_filename_component(name ${source} NAME_WE)
    if(uses_stream)
      add_test(NAME gpu.${name} COMMAND kernels_${name})
      set_tests_properties(gpu.${name} PROPERTIES LABELS gpu TIMEOUT 300 SKIP_RETURN_CODE 77
                           RESOURCE_LOCK gpu ENVIRONMENT LYNCEUS_TEST_DEVICE=cuda)
    endif()
  endforeach()
endif()

if(NOT CUDAToolkit_FOUND)
  message(STATUS "No CUDA headers: the CUDA kernels are not run on the host")
  return()
endif()
if(LYNCEUS_SANITIZE)
  return()  # the sanitizer does not know when a fiber switches the stack
endif()
find_package(Boost 1.74 REQUIRED COMPONENTS context)

file(GLOB standin_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/standin/*.cpp
     ${CMAKE_CURRENT_SOURCE_DIR}/simt/host/*.cpp)
if(NCCL_INCLUDE_DIR)
  set(nccl_sources ${LYNCEUS_NCCL_SOURCES})
else()
  set(nccl_sources ${LYNCEUS_NO_NCCL_SOURCES})
  list(FILTER standin_sources EXCLUDE REGEX "/nccl[^/]*\\.cpp$")
endif()
add_library(lynceus_gpu_standin OBJECT ${LYNCEUS_GPU_SOURCES} ${nccl_sources} ${standin_sources})
foreach(source ${LYNCEUS_GPU_SOURCES})
  if(source MATCHES "\\.cu$")
    set_source_files_properties(${source} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-xc++")
  endif()
endforeach()
set_source_files_properties(${CMAKE_SOURCE_DIR}/core/cuda/accelerator.cpp PROPERTIES
                            COMPILE_DEFINITIONS "LYNCEUS_CUDA_ARCHITECTURES=\"the stand-in\"")
target_compile_options(lynceus_gpu_standin PRIVATE -fno-strict-aliasing -Wno-unknown-pragmas
                       -march=x86-64-v3 -g1)
target_include_directories(lynceus_gpu_standin PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/simt/host)
target_include_directories(lynceus_gpu_standin SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
if(NCCL_INCLUDE_DIR)
  target_include_directories(lynceus_gpu_standin SYSTEM PRIVATE ${NCCL_INCLUDE_DIR})
endif()
target_link_libraries(lynceus_gpu_standin PUBLIC lynceus_core lynceus_parallel Boost::context
                      OpenMP::OpenMP_CXX dnnl::dnnl)

# The program on the stand-in.
add_executable(lynceus_standin $<TARGET_OBJECTS:lynceus>)
target_link_libraries(lynceus_standin PRIVATE lynceus_cli lynceus_gpu_standin)

foreach(source ${kernel_tests})
  file(STRINGS ${source} uses_stream REGEX "test_stream\\(\\)")
  if(NOT uses_stream)
    continue()
  endif()
  get_filename_component(name ${source} NAME_WE)
  add_executable(simt_${name} $<TARGET_OBJECTS:kernels_${name}>)
  target_link_libraries(simt_${name} PRIVATE lynceus_kernels lynceus_gpu_standin lynceus_test_main)
  foreach(order ascending descending)
    add_test(NAME simt.${name}.${order} COMMAND simt_${name})
    set_tests_properties(simt.${name}.${order} PROPERTIES LABELS simt TIMEOUT 300 ENVIRONMENT
      "LYNCEUS_TEST_DEVICE=cuda;LYNCEUS_SIMT_ORDER=${order};OMP_NUM_THREADS=1")
  endforeach()
endforeach()

# Tests of kernels and memory that need the stand-in.
file(GLOB device_kernel_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/core/device/*_test.cpp
     ${CMAKE_CURRENT_SOURCE_DIR}/kernels/device/*_test.cpp)
foreach(source ${device_kernel_tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(simt_${name} ${source})
  target_link_libraries(simt_${name} PRIVATE lynceus_kernels lynceus_gpu_standin lynceus_test_main)
  add_test(NAME simt.${name} COMMAND simt_${name})
  set_tests_properties(simt.${name} PROPERTIES LABELS simt TIMEOUT 60
                       ENVIRONMENT OMP_NUM_THREADS=1)
endforeach()

# What a step asks of the device, as the stand-in sees it.
file(GLOB device_train_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/train/device/*_test.cpp)
foreach(source ${device_train_tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(simt_${name} ${source})
  target_link_libraries(simt_${name} PRIVATE lynceus_train lynceus_gpu_standin lynceus_test_main)
  add_test(NAME simt.train.${name} COMMAND simt_${name})
  set_tests_properties(simt.train.${name} PROPERTIES LABELS "simt;strict" TIMEOUT 60
                       ENVIRONMENT "LYNCEUS_TEST_DEVICE=cuda;OMP_NUM_THREADS=1")
endforeach()

# The training step on the CUDA path: one step with eight ranks on one device; grid law and overlap on a
# device for each rank, which works on one collective at a time.
foreach(name grid_law_mpi8_test step_mpi8_test overlap_mpi8_test)
  add_executable(simt_train_${name} $<TARGET_OBJECTS:train_${name}>)
  target_link_libraries(simt_train_${name} PRIVATE lynceus_train lynceus_gpu_standin
                        lynceus_test_main)
  lynceus_mpi_test(simt.train.${name} 8 $<TARGET_FILE:simt_train_${name}>)
  set(labels "mpi;simt")
  set(environment ${mpi_environment} LYNCEUS_TEST_DEVICE=cuda)
  if(NCCL_INCLUDE_DIR AND NOT name MATCHES "^step_")
    list(APPEND labels strict)
    list(APPEND environment LYNCEUS_TEST_TRANSPORT=nccl LYNCEUS_STANDIN_DEVICES=8 LYNCEUS_STANDIN_STRICT=1)
  endif()
  set_tests_properties(simt.train.${name} PROPERTIES LABELS "${labels}" TIMEOUT 600
                       ENVIRONMENT "${environment}")
endforeach()
